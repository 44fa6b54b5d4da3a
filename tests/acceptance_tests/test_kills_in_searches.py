"""Nothing is lost in a whole study either: rungs, snapshots and decisions survive kills.

The named points lie where steps 4 to 7 leave something behind: a trial that pauses at a
rung, a checkpoint or a snapshot on its way, trials that are discarded, a round that begins.
"""

import random
import time

import pytest

from tests.acceptance_tests.small_study import SEARCHES, WHOLE
from tests.acceptance_tests.tasks import path
from tests.processes import Installation, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(600),
]

TASK = path("Clouds")
SEED = 5
SLOTS = 2

POINTS = {
    # A rung: its checkpoint written, sent, stored; its outcome told; who goes on decided.
    "rungs": (
        *("slot.after_checkpoint@2", "agent.after_checkpoint@1", "checkpoint.before_commit@2"),
        *("slot.after_pause@1", "checkpoint.after_commit@2", "advance.after_rung@1"),
    ),
    # The conductor: a generation planned, later rungs decided, a verdict.
    "plans": ("advance.after_plan@3", "advance.after_rung@3", "advance.after_verdict@1"),
    # A repeat's snapshot, and a final run's: before its outcome in every process.
    "snapshots": (
        *("slot.after_snapshot@2", "agent.after_snapshot@1", "snapshot.before_commit@1"),
        *("snapshot.after_commit@9", "agent.after_snapshot@6"),
    ),
    # A round begun, the study ended; the models of the average here, its job not begun.
    "rounds": ("advance.after_loop@1", "advance.after_loop@1", "agent.after_fetch@4"),
}
"""Where a study is killed, at which pass of the place since its process began."""

PLACES = [(4, 1, 3), (5, 1, 3), (6, 1, 1), (5, 2, 3), (7, 2, 2)]
"""Step, round, and how often something is killed there."""

LEAST_HITS = 8
"""Of twelve kills, how many must hit a running attempt: a step may be over before its last."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the studies with all steps, and with those of the search alone, end as."""
    with Installation(tmp_path_factory.mktemp("calm") / "data", slots=SLOTS) as installation:
        return {
            "whole": installation.run(TASK, seed=SEED, **WHOLE),
            "searches": installation.run(TASK, seed=SEED, **SEARCHES),
        }


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
def test_kills_at_named_points(points, undisturbed, tmp_path):
    armed = {}
    for index, point in enumerate(points):
        name, _, nth = point.partition("@")
        marker = tmp_path / f"{index} {name}"
        armed[marker] = f"{name}@{marker}@{nth}"
    environment = {"SEVENSTEP_FAILPOINT": ",".join(armed.values())}
    with Installation(tmp_path / "data", slots=SLOTS, environment=environment) as installation:
        study = installation.create(TASK, seed=SEED, **SEARCHES)
        assert installation.outcome(study) == undisturbed["searches"]
        forgotten = orphans(installation)
    passed_by = [marker.name for marker in armed if not marker.exists()]
    assert not passed_by, "not killed there"
    assert not forgotten, "files that no row names"


def orphans(installation):
    """Stored files that no row names. What an upload left goes when the service starts again."""
    known = {uid for (uid,) in installation.rows("SELECT uid FROM artifact")}
    return {file.name for file in (installation.data_dir / "artifacts").iterdir()} - known


@pytest.mark.parametrize("draw", [1, 2])
def test_kills_at_random_moments_of_every_step(draw, undisturbed, tmp_path):
    chance = random.Random(draw)
    victims = ["slot", "agent", "service"] * 4
    chance.shuffle(victims)
    hits = []
    with Installation(tmp_path / "data", slots=SLOTS) as installation:
        study = installation.create(TASK, seed=SEED, **WHOLE)
        for step, round_number, count in PLACES:
            for _ in range(count):
                if not has_come_to(installation, step, round_number):
                    break
                time.sleep(chance.uniform(0.0, 0.6))
                running = running_steps(installation)
                victim = victims[len(hits) % len(victims)]
                hits.append((victim, running))
                installation.kill(victim)
        assert installation.outcome(study) == undisturbed["whole"], hits
        ((again,),) = installation.rows("SELECT count(*) FROM attempt WHERE number > 1")
    assert len([running for _, running in hits if running]) >= LEAST_HITS, hits
    assert again >= LEAST_HITS / 2, "hardly any attempt had to be made again"


def has_come_to(installation, step, round_number):
    """Wait until an attempt of the step runs; False when the study has gone past it."""

    def found():
        if (step, round_number) in running_steps(installation):
            return "here"
        begun = installation.rows(
            "SELECT 1 FROM step_run WHERE state != 'running'"
            f" AND number = {step} AND round = {round_number}"
        )
        return "past" if begun else None

    return wait_for(found, seconds=120, what=f"step {step} of round {round_number}") == "here"


def running_steps(installation):
    """Step and round of each running attempt."""
    return installation.rows(
        "SELECT step_run.number, step_run.round FROM attempt JOIN job ON job.id = job_id"
        " JOIN step_run ON step_run.id = step_run_id WHERE attempt.state = 'running'"
    )
