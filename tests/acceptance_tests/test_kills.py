"""Nothing is lost: killed at random moments and at the worst ones, a study ends the same."""

import random
import time

import pytest

from tests.processes import Installation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(1500),
]

LONG_TASK = "digits-conv"
"""Long enough that most moments fall into a running attempt."""

SHORT_TASK = "digits"
"""For the named points, which are hit whatever the task."""

NUM_RANDOM_KILLS = 20
LEAST_HITS = 15
"""Of the random kills, how many must hit a running attempt."""

POINTS = {
    "service": ("claim.after_commit", "points.after_commit", "finish.after_commit"),
    "conductor": ("advance.between_plan_and_write",),
    "agent": (
        *("agent.after_claim", "agent.after_points"),
        *("agent.before_finish", "agent.after_finish"),
    ),
    "slot": ("slot.after_job", "slot.after_points", "slot.after_outcome", "slot.before_done"),
}

ALL_POINTS = [
    *("advance.after_begin@1", "advance.after_plan@1", "advance.after_verdict@3"),
    *(f"{name}@{nth}" for names in POINTS.values() for name in names for nth in (1, 5)),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the two tasks' studies end as when nobody dies."""
    with Installation(tmp_path_factory.mktemp("undisturbed") / "data") as installation:
        return {task: installation.run(task, seed=3) for task in (LONG_TASK, SHORT_TASK)}


def running_attempts(installation: Installation) -> int:
    ((count,),) = installation.rows("SELECT count(*) FROM attempt WHERE state = 'running'")
    assert isinstance(count, int)
    return count


def test_twenty_kills_at_random_moments(undisturbed, tmp_path):
    chance = random.Random(20)
    hits = 0
    with Installation(tmp_path / "data") as installation:
        for number in range(NUM_RANDOM_KILLS):
            which = ("slot", "agent", "service")[number % 3]
            study = installation.create(LONG_TASK, seed=3)
            moment = chance.uniform(0.3, 6.0)
            time.sleep(moment)
            hits += running_attempts(installation) > 0
            installation.kill(which)
            assert installation.outcome(study) == undisturbed[LONG_TASK], (number, which, moment)
        lost = installation.rows("SELECT count(*) FROM attempt WHERE number > 1")
    assert hits >= LEAST_HITS
    assert lost[0][0] >= LEAST_HITS - 5, "hardly any attempt had to be made again"


@pytest.mark.parametrize("failpoint", ALL_POINTS)
def test_a_kill_at_a_named_point(failpoint, undisturbed, tmp_path):
    name, _, nth = failpoint.partition("@")
    marker = tmp_path / "killed"
    environment = {
        "SEVENSTEP_FAILPOINT": f"{name}@{marker}@{nth}",
        # Else short jobs send all their points with their end.
        **({"SEVENSTEP_BATCH_SECONDS": "0"} if "points" in name else {}),
    }
    with Installation(tmp_path / "data", environment=environment) as installation:
        study = installation.create(SHORT_TASK, seed=3)
        assert installation.outcome(study) == undisturbed[SHORT_TASK]
    assert marker.exists(), f"{name} was not passed {nth} times"
