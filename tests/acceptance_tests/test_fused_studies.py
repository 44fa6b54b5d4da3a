"""Whole studies whose trials train together: equal however they are cut, and after kills."""

import json
import random
import time

import pytest

from recipes.fusing import GAIN
from tests.acceptance_tests.small_study import SEARCHES, WHOLE
from tests.acceptance_tests.tasks import path
from tests.processes import Installation, wait_for

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

TASK = path("NoisyClouds")
SEED = 5
TOGETHER = {"SEVENSTEP_FUSE": "8"}
BAND = 5e-3
"""Of accuracies on 400 samples: two of them may fall to the other side by rounding."""
KILLS = 8
OVER = [0]

POINTS = (
    # While members train, and where several of them pause at a rung or end together.
    *("slot.after_points@6", "slot.after_checkpoint@2", "slot.after_pause@2"),
    *("slot.after_outcome@7", "slot.after_snapshot@2", "slot.after_job@3"),
    # Between what is sent for one member and for the next.
    *("agent.after_points@4", "agent.after_checkpoint@1", "agent.before_finish@6"),
    *("checkpoint.after_commit@2", "points.after_commit@8"),
)
"""Where a study is killed, at which pass of the place since its process began."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the searches end as when nobody dies, and how their trials were trained."""
    data = tmp_path_factory.mktemp("calm") / "data"
    with Installation(data, slots=2, environment=TOGETHER) as installation:
        outcome = installation.run(TASK, seed=SEED, **SEARCHES)
        engines = installation.rows("SELECT engine, count(*) FROM trial GROUP BY 1")
    return outcome, dict(engines)


def test_most_trials_train_together(undisturbed):
    _, engines = undisturbed
    assert engines["fused"] > 2 * engines.get("plain", 0)


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory):
    """The whole study with one slot."""
    data = tmp_path_factory.mktemp("together") / "data"
    with Installation(data, environment=TOGETHER) as installation:
        return installation.run(TASK, seed=SEED, **WHOLE)


@pytest.mark.slow
def test_four_slots_give_the_report_of_one(one_slot, tmp_path):
    with Installation(tmp_path / "data", slots=4, environment=TOGETHER) as installation:
        assert installation.run(TASK, seed=SEED, **WHOLE) == one_slot


@pytest.mark.slow
def test_alone_and_together_choose_settings_that_cannot_be_told_apart(one_slot, tmp_path):
    with Installation(tmp_path / "data") as installation:
        alone = installation.run(TASK, seed=SEED, **WHOLE).report
    together = one_slot.report
    assert [step["verdict"] for step in alone["steps"]] == [
        step["verdict"] for step in together["steps"]
    ]
    for ours, theirs in ((alone, together), (together, alone)):
        best = ours["best"]
        assert best["trial"] in (theirs["best"]["trial"], *theirs["best"]["tied"])
        assert abs(best["value"] - theirs["best"]["value"]) <= BAND


AS_A_USER = {"SEVENSTEP_FUSE": ""}
"""Empty is left out: what training together gains is measured, as it is where nobody says."""


@pytest.mark.slow
def test_what_is_measured_and_chosen_by_itself_cannot_be_told_apart_either(tmp_path):
    """Measured, chunked, timed, packed and priced as for a user, beside one trial at a time."""
    with Installation(tmp_path / "plain") as installation:
        alone = installation.run(TASK, seed=SEED, **WHOLE).report
    with Installation(tmp_path / "default", slots=2, environment=AS_A_USER) as installation:
        together = installation.run(TASK, seed=SEED, **WHOLE).report
        engines = dict(installation.rows("SELECT engine, count(*) FROM trial GROUP BY 1"))
        (described,) = installation.rows("SELECT description FROM study")

    fusing = json.loads(described[0])["fusing"]
    assert fusing["chunk"] > 1, fusing["reason"]
    assert fusing["rates"][str(fusing["chunk"])] >= GAIN * fusing["rates"]["1"]
    assert engines["fused"] > engines.get("plain", 0)
    assert [step["verdict"] for step in alone["steps"]] == [
        step["verdict"] for step in together["steps"]
    ]
    best = together["best"]
    assert best["trial"] in (alone["best"]["trial"], *alone["best"]["tied"])
    assert abs(best["value"] - alone["best"]["value"]) <= BAND


@pytest.mark.slow
def test_kills_at_named_points(undisturbed, tmp_path):
    armed = {}
    for point in POINTS:
        name, _, nth = point.partition("@")
        armed[tmp_path / name] = f"{name}@{tmp_path / name}@{nth}"
    environment = {**TOGETHER, "SEVENSTEP_FAILPOINT": ",".join(armed.values())}
    with Installation(tmp_path / "data", slots=2, environment=environment) as installation:
        study = installation.create(TASK, seed=SEED, **SEARCHES)
        assert installation.outcome(study) == undisturbed[0]
        engines = dict(installation.rows("SELECT engine, count(*) FROM trial GROUP BY 1"))
    passed_by = [marker.name for marker in armed if not marker.exists()]
    assert not passed_by, "not killed there"
    assert engines["fused"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_moments(seed, undisturbed, tmp_path):
    chance = random.Random(seed)
    with Installation(tmp_path / "data", slots=2, environment=TOGETHER) as installation:
        study = installation.create(TASK, seed=SEED, **SEARCHES)
        for _ in range(KILLS):
            tries = wait_for(lambda: running(installation), seconds=120, what="a job")
            if tries == OVER:
                break
            time.sleep(chance.uniform(0.0, 0.4))
            # A second crash parts trials that train together: then numbers differ by rounding.
            slot = ["slot", "slot"] if max(tries) == 1 else []
            installation.kill(chance.choice([*slot, "agent", "service"]))
        assert installation.outcome(study) == undisturbed[0]
        lost = installation.rows(
            "SELECT count(*) FROM attempt WHERE state IN ('lost', 'failed', 'preempted')"
        )
    assert lost[0][0] > 0, "nothing was hit"


def running(installation):
    """The numbers of the attempts that train, OVER when the study has ended."""
    found = installation.rows(
        "SELECT number FROM attempt JOIN job ON job.id = job_id"
        " WHERE attempt.state = 'running' AND job.kind = 'train'"
    )
    ((state,),) = installation.rows("SELECT state FROM study")
    return [number for (number,) in found] or (OVER if state == "completed" else None)
