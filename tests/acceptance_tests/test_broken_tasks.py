"""Ten faults on three architectures: each is met at its step, with its cause in the sentence."""

import pytest

from recipes.step import StepReport
from tests.broken_tasks.faults import FAULTS, make
from tests.broken_tasks.healthy import HEALTHY
from tests.in_process import run_study

THREE = ("mlp", "convnet", pytest.param("resnet", marks=pytest.mark.slow))


def summary(history: list[StepReport]) -> list[str]:
    return [f"{report.number} {report.verdict}: {report.sentence}" for report in history]


def grave(report: StepReport) -> list[str]:
    return [finding.code for finding in report.findings if finding.severity != "info"]


@pytest.mark.parametrize("architecture", THREE)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_met_at_its_step(fault, architecture):
    expected = FAULTS[fault]
    history = run_study(make(fault, architecture))

    before = [report.verdict for report in history if report.number < expected.step]
    (met,) = [report for report in history if report.number == expected.step]
    assert set(before) <= {"passed"}, summary(history)
    assert met.verdict in expected.states, summary(history)
    assert grave(met)[0] == expected.code, summary(history)
    assert met.sentence.startswith(met.findings[0].sentence)


@pytest.mark.parametrize("architecture", HEALTHY)
def test_a_healthy_twin_passes_without_a_warning(architecture):
    history = run_study(make(None, architecture))

    assert [report.verdict for report in history] == ["passed"] * 3, summary(history)
    assert [grave(report) for report in history] == [[], [], []]
