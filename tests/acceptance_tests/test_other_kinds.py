"""Regression and binary tasks go through all seven steps, each in its own metric."""

import csv
import math

import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from tests.acceptance_tests.small_study import ALL_STEPS, WHOLE
from tests.acceptance_tests.tasks import path
from tests.processes import Installation

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(300)]

SLACK = 2.0
"""Textbook standard errors are for one run of a linear model: ours may differ so many times."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with Installation(tmp_path_factory.mktemp("kinds") / "data", slots=2) as installation:
        yield installation


def whole(installation, task, **fields):
    report = installation.wait(installation.create(task, seed=5, **WHOLE, **fields))
    assert report.state == "completed", report.reason
    assert {step.number for step in report.steps if step.round == 1} == set(ALL_STEPS)
    verdicts = [str(step.verdict) for step in report.steps]
    assert set(verdicts) <= {"passed", "warning", "inconclusive"}, verdicts
    assert report.best.num_seeds == 5
    return report


def table(folder, data):
    """A dataset of scikit-learn's as people keep theirs: a CSV file with a header."""
    file = folder / "table.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*data.feature_names, "outcome"])
        writer.writerows(
            [*row, outcome] for row, outcome in zip(data.data, data.target, strict=True)
        )
    return {"path": str(file), "target": "outcome"}


def check_regression(report):
    best, test = report.best, report.test
    assert (best.metric, best.direction, test.metric) == ("r2", "maximize", "r2")
    # What a linear model reaches here, 0.4 to 0.5 by the split, within the value's own error.
    assert best.value + 2 * best.standard_error > 0.4
    assert best.value < 0.7
    assert best.n == test.n == 80 or "path" in report.task_args
    for found in (best, test):
        # Cohen et al. (2003): 2 R (1 - R²) / sqrt(n), for large n.
        usual = 2 * math.sqrt(found.value) * (1 - found.value) / math.sqrt(found.n)
        assert usual / SLACK < found.standard_error < usual * SLACK
    assert "targets' mean square" in report.steps[0].sentence


def check_binary(report):
    best, test = report.best, report.test
    assert (best.metric, best.direction, test.metric) == ("accuracy", "maximize", "accuracy")
    assert best.value > 0.95
    assert test.value > 0.9
    for found in (best, test):
        wrong = max(1 - found.value, 1 / found.n)
        usual = math.sqrt(wrong * (1 - wrong) / found.n)
        assert usual / SLACK < found.standard_error < usual * SLACK
    assert "ln 2" in report.steps[0].sentence


def test_a_regression(installation):
    incumbent = {"lr": 1e-4, "weight_decay": 0.0}
    report = whole(installation, path("Diabetes"), incumbent=incumbent)

    check_regression(report)
    assert report.description.kind == "regression"
    # The incumbent's rate is far too low for so few epochs.
    assert report.incumbent.gain > 3 * report.incumbent.gain_standard_error > 0
    assert report.test.incumbent_value < report.test.value


@pytest.mark.slow
def test_a_binary_task(installation):
    report = whole(installation, path("BreastCancer"))

    check_binary(report)
    assert report.description.kind == "binary"


@pytest.mark.slow
def test_a_table_with_a_column_of_numbers(installation, tmp_path):
    report = whole(installation, "tabular", task_args=table(tmp_path, load_diabetes()))

    check_regression(report)


@pytest.mark.slow
def test_a_table_with_two_classes(installation, tmp_path):
    arguments = {**table(tmp_path, load_breast_cancer()), "kind": "binary"}
    check_binary(whole(installation, "tabular", task_args=arguments))
