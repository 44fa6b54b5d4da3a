from __future__ import annotations

import math
from typing import Any

import pytest

from recipes.run import RunSpec
from recipes.trial import TrialCause
from tests.worker_tests.training_tasks import run_spec
from worker.training.stops import StopRule

NAN, INF = math.nan, math.inf


def ends(losses: list[float], *, right: list[bool] | None = None, **settings: Any) -> Any:
    """(index of the loss that ended the run, cause), or None."""
    rule = StopRule(spec(**settings))
    for index, loss in enumerate(losses):
        cause = rule.judge(loss, all_right=right[index] if right else True)
        if cause is not None:
            return index, cause
    return None


def spec(**settings: Any) -> RunSpec:
    return run_spec(iterations=1, **settings)


@pytest.mark.parametrize("loss", [NAN, INF, -INF])
def test_a_non_finite_loss_ends_at_once(loss: float) -> None:
    assert ends([1.0, loss, 1.0]) == (1, TrialCause.NON_FINITE)
    assert ends([1.0, loss, 1.0], stop_if_non_finite=False) is None


def test_one_spike_does_not_end_a_run_but_three_of_five_do() -> None:
    assert ends([1, 9, 1, 1, 9, 1, 1], stop_if_loss_above=5.0) is None
    assert ends([1, 1, 1, 9, 9, 9, 1], stop_if_loss_above=5.0) == (5, TrialCause.DIVERGED)


def test_nothing_diverges_before_the_median_has_five() -> None:
    assert ends([9, 9, 9, 9], stop_if_loss_above=5.0) is None
    assert ends([9, 9, 9, 9, 9], stop_if_loss_above=5.0) == (4, TrialCause.DIVERGED)


def test_the_limit_itself_is_not_above() -> None:
    assert ends([5.0] * 20, stop_if_loss_above=5.0) is None


def test_nan_that_is_let_pass_counts_as_above() -> None:
    settings = {"stop_if_loss_above": 5.0, "stop_if_non_finite": False}
    assert ends([1, 1, 1, NAN, NAN, NAN], **settings) == (5, TrialCause.DIVERGED)
    assert ends([1, NAN, 1, 1, NAN, 1], **settings) is None


def test_five_in_a_row_below_and_all_right_end_a_run_as_finished() -> None:
    low, finished = [0.01] * 5, TrialCause.FINISHED
    assert ends([1.0, *low], stop_if_loss_below=0.05) == (5, finished)
    assert ends([*low[:4], 1.0, *low[:4]], stop_if_loss_below=0.05) is None
    right = [True, True, False, True, True, True, True, True]
    assert ends([0.01] * 8, right=right, stop_if_loss_below=0.05) == (7, finished)


def test_a_resumed_rule_goes_on_where_the_first_one_was() -> None:
    run = spec(stop_if_loss_above=5.0, stop_if_loss_below=0.05)
    first = StopRule(run)
    for loss in (9.0, 0.01, 0.01, 0.01):
        first.judge(loss, all_right=True)
    second = StopRule(run, losses=first.losses, num_below=first.num_below)
    assert second.judge(0.01, all_right=True) is None
    assert second.judge(0.01, all_right=True) is TrialCause.FINISHED
