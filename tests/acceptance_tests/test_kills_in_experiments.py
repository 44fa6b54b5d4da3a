"""An experiment is neither lost nor made twice when the conductor dies before it is read.

Step 6 plans one, trains it, plans the next by what came out, and revises its findings: the
service is killed at each of these moments.
"""

from __future__ import annotations

import pytest

from tests.acceptance_tests.small_study import EXPERIMENTS
from tests.acceptance_tests.tasks import path
from tests.processes import Installation, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(600),
]

TASK = path("HardlyApart")
DROP, LARGER = "lr_drop", "larger_batch noisy_loss"

MOMENTS = {
    # Step 5 plans four times: two rungs, the rest, the finalist's repeats.
    "planned": ("advance.after_plan@5", [(DROP, "waiting")]),
    "next one planned": ("advance.after_plan@6", [(DROP, "complete"), (LARGER, "waiting")]),
    "read": ("advance.after_verdict@2", [(DROP, "complete"), (LARGER, "complete")]),
}
"""Where it dies, and the experiments' states at that moment."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the study ends as when nobody dies, in one process after the other."""
    with Installation(tmp_path_factory.mktemp("calm") / "data") as installation:
        outcome = installation.run(TASK, **EXPERIMENTS)
        assert [label for label, _ in experiments(installation)] == [DROP, LARGER]
        return outcome


def experiments(installation):
    """Label and state of step 6's trials, in order."""
    return installation.rows(
        "SELECT label, trial.state FROM trial JOIN step_run ON step_run.id = step_run_id"
        " WHERE step_run.number = 6 ORDER BY trial.number"
    )


@pytest.mark.parametrize(("point", "states"), MOMENTS.values(), ids=MOMENTS)
def test_an_experiment_survives_the_conductor(point, states, undisturbed, tmp_path):
    name, _, nth = point.partition("@")
    marker = tmp_path / "killed"
    environment = {"SEVENSTEP_FAILPOINT": f"{name}@{marker}@{nth}"}
    with Installation(tmp_path / "data", environment=environment) as installation:
        study = installation.create(TASK, **EXPERIMENTS)
        wait_for(lambda: installation.process.poll() is not None, what=f"the kill at {point}")
        assert marker.exists()
        assert experiments(installation) == states
        assert installation.outcome(study) == undisturbed
        assert [label for label, _ in experiments(installation)] == [DROP, LARGER]


def test_an_experiment_survives_its_training(undisturbed, tmp_path):
    marker = tmp_path / "killed"
    environment = {"SEVENSTEP_FAILPOINT": f"slot.after_job@{marker}@8"}
    with Installation(tmp_path / "data", environment=environment) as installation:
        study = installation.create(TASK, **EXPERIMENTS)
        assert installation.outcome(study) == undisturbed
        ((label,),) = installation.rows(
            "SELECT DISTINCT label FROM trial JOIN attempt_member ON trial_id = trial.id"
            " JOIN attempt ON attempt.id = attempt_id WHERE attempt.number > 1"
        )
    assert marker.exists()
    assert label in (DROP, LARGER)
