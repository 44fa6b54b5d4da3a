"""The same seed gives the same report, however many slots and machines there are.

Whole studies, bit for bit: trials, settings, values, verdicts, findings, curves.
"""

import json

import pytest

from tests.acceptance_tests.small_study import WHOLE
from tests.acceptance_tests.tasks import Clouds, path
from tests.in_process import run_study
from tests.processes import Installation
from worker.tasks.digits import DigitsMLP

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

TASKS = {path("Clouds"): Clouds, "digits": DigitsMLP}
NAMES = [path("Clouds"), pytest.param("digits", marks=pytest.mark.slow)]
each_task = pytest.mark.parametrize("task", NAMES, ids=["file", "digits"])
SEED = 5

CONCLUDED = (
    *("number", "round", "pass", "verdict", "sentence", "evidence", "findings"),
    *("action", "result"),
)
"""What a step's report says, whoever carried the step out. What it learned shows in the next."""


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory):
    """The outcome of each task's study with a single slot, run when first asked for."""
    found = {}
    with Installation(tmp_path_factory.mktemp("one") / "data") as installation:

        def outcome(task):
            if task not in found:
                found[task] = installation.run(task, seed=SEED, **WHOLE)
            return found[task]

        yield outcome


@each_task
def test_four_slots_give_the_report_of_one(task, one_slot, tmp_path):
    with Installation(tmp_path / "data", slots=4) as installation:
        assert installation.run(task, seed=SEED, **WHOLE) == one_slot(task)


@pytest.mark.slow
@each_task
def test_two_machines_give_the_report_of_one(task, one_slot, tmp_path):
    with Installation(tmp_path / "data", worker=False) as installation:
        installation.add_agent(tmp_path / "home a", name="a")
        installation.add_agent(tmp_path / "home b", name="b")
        outcome = installation.run(task, seed=SEED, **WHOLE)
        worked = installation.rows(
            "SELECT worker.name, count(*) FROM attempt JOIN worker ON worker.id = worker_id"
            " GROUP BY 1"
        )

    assert outcome == one_slot(task)
    assert [name for name, _ in sorted(worked)] == ["a", "b"], worked


@pytest.mark.slow
def test_another_seed_gives_another_report(one_slot, tmp_path):
    with Installation(tmp_path / "data", slots=2) as installation:
        other = installation.run(path("Clouds"), seed=SEED + 1, **WHOLE)

    first = one_slot(path("Clouds"))
    assert [each["number"] for each in other.report["steps"]][:5] == [1, 2, 3, 4, 5]
    for step in (4, 5):
        assert settings(other, step).isdisjoint(settings(first, step))
    assert other.curves[-1] != first.curves[-1]


def settings(outcome, step):
    """The settings that a search tried."""
    return {
        json.dumps(trial["params"], sort_keys=True)
        for trial in outcome.report["trials"]
        if trial["step"] == step and trial["purpose"] == "search"
    }


@each_task
def test_the_service_concludes_what_the_recipe_concludes(task, one_slot):
    alone = run_study(TASKS[task](), seed=SEED, **WHOLE)

    served = one_slot(task).report["steps"]
    assert [concluded(step) for step in served] == [
        concluded(step.model_dump(mode="json")) for step in alone
    ]


def concluded(step):
    found = {name: step[name] for name in CONCLUDED}
    if found["action"] is not None:
        # What it costs and how to ask for it is the service's to say.
        names = ("kind", "sentence", "changes")
        found["action"] = {name: found["action"][name] for name in names}
    return found
