import math
import os
import signal
import subprocess
import sys

import pytest
from pydantic import ValidationError

from recipes.curve import MAX_POINTS, Curve, CurveBlock, join
from recipes.errors import InvalidSetting, RecipeError
from recipes.outcome import Moments
from recipes.run import Job, JobKind, MemberSpec, RunSpec, TaskRef
from recipes.seeds import derive_seed
from recipes.step import StepKind, StepReport, StepState
from recipes.study import StudyConfig, StudyState
from recipes.trial import TrialState
from recipes.wire import AttemptState, PointsRequest

MEMBER = MemberSpec(trial=0, params={"lr": 0.1}, seed=1, data_seed=2)


def test_non_finite_numbers_cross_the_wire_as_words():
    block = CurveBlock(
        trial=0,
        metric="loss",
        split="train",
        iterations=(0, 1, 2),
        values=(math.nan, math.inf, -math.inf),
    )
    text = block.model_dump_json()

    assert '["NaN","Infinity","-Infinity"]' in text
    back = CurveBlock.model_validate_json(text)
    assert math.isnan(back.values[0])
    assert back.values[1:] == (math.inf, -math.inf)


@pytest.mark.parametrize(
    ("iterations", "values", "words"),
    [
        ((0, 1), (1.0,), "one each"),
        ((1, 0), (1.0, 2.0), "must rise"),
        ((0, 0), (1.0, 2.0), "must rise"),
        ((-1,), (1.0,), "must rise"),
        (tuple(range(MAX_POINTS + 1)), (0.0,) * (MAX_POINTS + 1), "at most"),
    ],
)
def test_malformed_curves_are_refused(iterations, values, words):
    with pytest.raises(ValidationError, match=words):
        CurveBlock(trial=0, metric="loss", split="train", iterations=iterations, values=values)


def test_blocks_join_in_order_whatever_order_they_came_in():
    def block(metric, *points):
        iterations, values = zip(*points, strict=True)
        return CurveBlock(
            trial=0, metric=metric, split="train", iterations=iterations, values=values
        )

    joined = join(
        [block("loss", (2, 0.2)), block("loss", (0, 1.0), (1, 0.5)), block("acc", (0, 0))]
    )

    assert joined[("loss", "train")] == Curve((0, 1, 2), (1.0, 0.5, 0.2))
    assert joined[("acc", "train")] == Curve((0,), (0.0,))


def test_moments_of_known_numbers():
    moments = Moments(total=6.0, total_squares=14.0, n=3)  # of 1, 2, 3

    assert moments.mean == 2.0
    assert moments.sd == pytest.approx(1.0)
    assert moments.standard_error == pytest.approx(1 / math.sqrt(3))


@pytest.mark.parametrize(
    ("total", "squares", "n", "mean", "sd"),
    [(0, 0, 0, math.nan, math.nan), (2, 4, 1, 2, math.nan), (4, 8, 2, 2, 0.0)],
)
def test_moments_at_their_limits(total, squares, n, mean, sd):
    moments = Moments(total=total, total_squares=squares, n=n)

    assert moments.mean == pytest.approx(mean, nan_ok=True)
    assert moments.sd == pytest.approx(sd, nan_ok=True)
    assert math.isnan(moments.standard_error) == math.isnan(sd)


def test_moments_of_non_finite_numbers_stay_non_finite():
    assert math.isnan(Moments(total=math.nan, total_squares=math.nan, n=5).sd)


def test_a_run_has_a_length_in_one_unit():
    with pytest.raises(ValidationError, match="exactly one"):
        RunSpec(members=(MEMBER,), iterations=1, epochs=1)
    with pytest.raises(ValidationError, match="exactly one"):
        RunSpec(members=(MEMBER,))


def test_a_train_job_has_a_run_and_a_describe_job_none():
    run = RunSpec(members=(MEMBER,), iterations=0)
    task = TaskRef(path="digits")

    assert Job(kind=JobKind.TRAIN, task=task, run=run).run == run
    with pytest.raises(ValidationError, match="run spec"):
        Job(kind=JobKind.TRAIN, task=task)
    with pytest.raises(ValidationError, match="run spec"):
        Job(kind=JobKind.DESCRIBE, task=task, run=run)


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="nmae"):
        StudyConfig.model_validate({"name": "a", "task": "digits", "nmae": 1})
    with pytest.raises(ValidationError, match="fence"):
        PointsRequest.model_validate({"blocks": []})


def test_seeds_follow_from_their_path_alone():
    assert derive_seed(1, "step", 2) == derive_seed(1, "step", 2)
    assert derive_seed(1, "step", 2) != derive_seed(1, "step", 3)
    assert derive_seed(12, 3) != derive_seed(1, 23)
    assert all(0 <= derive_seed(seed) < 2**31 for seed in range(100))
    assert derive_seed(0, "initial_loss", 0) == 2095625012  # the same in every release


def test_ended_states():
    assert [state for state in StudyState if state.has_ended] == [
        "completed",
        "failed",
        "cancelled",
    ]
    assert not TrialState.RUNNING.has_ended
    assert TrialState.COMPLETE.has_ended
    assert not AttemptState.STOPPING.has_ended
    assert AttemptState.LOST.has_ended


def test_a_report_calls_its_pass_pass():
    report = StepReport(
        number=1, kind=StepKind.INITIAL_LOSS, round=1, pass_number=2, state=StepState.PASSED
    )

    assert '"pass":2' in report.model_dump_json()
    assert StepReport.model_validate_json(report.model_dump_json()) == report


def test_step_numbers_are_the_recipes():
    assert [kind.number for kind in StepKind] == [1, 2, 3, 4, 5, 6, 7]


def test_an_invalid_setting_names_field_value_and_cure():
    error = InvalidSetting("set.lr", -1, "give a positive number")

    assert isinstance(error, RecipeError)
    assert str(error) == "set.lr: -1 does not fit; give a positive number"


def test_each_failpoint_kills_once(tmp_path):
    script = (
        "from recipes.failpoint import failpoint\n"
        "failpoint('other'); failpoint('here'); failpoint('here'); failpoint('there');"
        "print('alive')"
    )
    armed = f"here@{tmp_path / 'here'}@2,there@{tmp_path / 'there'}"
    environment = {**os.environ, "SEVENSTEP_FAILPOINT": armed}

    first, second, third = (
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
        for _ in range(3)
    )

    assert first.returncode == second.returncode == -signal.SIGKILL
    assert (tmp_path / "there").exists()
    assert third.stdout == b"alive\n"
