"""A train loss that goes up, steadily: on a small sample, or in training."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.features import finite_prefix
from recipes.finding import Cause, Finding, Severity
from recipes.rules.impairment import EXPLODED
from recipes.rules.registry import Precedence, rule
from recipes.trend import Array, Trend, robust_sd, running_median, trend
from recipes.words import number, percent, plural, rate, rate_or

LEAST_POINTS = 20
P_RISING = 0.01
"""Points, and Mann-Kendall's p of "does not rise" (row 26)."""

STEADY_SHARE = 0.5
"""Part of the rise that may happen at once, from one block to the second next: what leaps up
and stays there has died or lost its weights, and other rules say so (ours)."""

RISE_SHARE = 0.10
RISE_SDS = 3.0
"""Least rise over the window, as a share of where the run began and in sds of the loss (ours):
with 200 points anything is significant."""

SOURCE = "Deep Learning Tuning Playbook, training loss that rises; notes on diagnosis, row 26"


@rule("loss_rising", Precedence.DIVERGED)
def loss_rising_on_sample(evidence: OverfitEvidence) -> Finding | None:
    """The loss rises at the lowest rate that moves it, and falls at none."""
    run = evidence.climbs
    if run is None:
        return None
    end = float(finite_prefix(run.losses)[-1])
    return Finding(
        code="loss_rising",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"Training climbs the loss: at {rate(run.lr)}, the lowest rate that moves it, it "
        f"rises from {number(run.start_loss)} to {number(end)} on the samples that are to be "
        f"memorised, and none of {plural(len(evidence.runs), 'setting')} makes it fall. A small "
        "enough step against the gradient cannot raise a loss.",
        evidence={
            "lr": run.lr,
            "loss_before": run.start_loss,
            "loss_after": end,
            "num_settings": len(evidence.runs),
        },
        causes=(
            Cause(
                code="loss_sign",
                sentence="The loss, or its gradient, has the wrong sign.",
                confidence=0.85,
            ),
            Cause(
                code="wrong_gradient",
                sentence="A backward function of your own gives another gradient than the loss's.",
                confidence=0.4,
            ),
        ),
        action="Look for a minus sign in loss(), and for autograd functions or hooks that change "
        "gradients. Cheapest experiment: one step at this rate with the loss negated; if it "
        "falls, the sign was it.",
        source="Taylor's theorem; Deep Learning Tuning Playbook, training loss that rises; row 26",
    )


@rule("loss_rising", Precedence.NO_LEARNING)
def loss_rising(evidence: CurveEvidence) -> Finding | None:
    """Over the whole run after its warm-up, or over its last half.

    Silent where the loss exploded (``diverged`` says so), and where the learning rate was
    raised on the way: a cycle's or a restart's rise is meant.
    """
    series = evidence.series
    if series.cause in EXPLODED or series.rate_rises:
        return None
    blocks = series.blocks[round(series.warmup_share * len(series.blocks)) :]
    if len(blocks) < LEAST_POINTS:
        return None
    start = abs(float(np.median(blocks[:3])))
    windows = (blocks, blocks[len(blocks) // 2 :])
    for window in windows:
        line = _rise(window, start)
        if line is not None:
            return _finding(evidence, window, line, start, is_whole=window is blocks)
    return None


def _rise(window: Array, start: float) -> Trend | None:
    """The window's trend when it rises by enough; None otherwise."""
    third = max(1, len(window) // 3)
    gain = float(np.median(window[-third:]) - np.median(window[:third]))
    noise = robust_sd(np.diff(window)) / np.sqrt(2.0)
    if len(window) < LEAST_POINTS or gain <= max(RISE_SHARE * start, RISE_SDS * noise):
        return None
    smooth = running_median(window)
    if float(np.max(smooth[2:] - smooth[:-2])) > STEADY_SHARE * gain:
        return None
    line = trend(window)
    return line if line is not None and line.rises and line.p_rising < P_RISING else None


def _finding(
    evidence: CurveEvidence, window: Array, line: Trend, start: float, *, is_whole: bool
) -> Finding:
    third = max(1, len(window) // 3)
    low, high = float(np.median(window[:third])), float(np.median(window[-third:]))
    part = "the whole run" if is_whole else "its second half"
    lr = evidence.series.lr
    lower = rate_or(lr / 10, "a tenth of the rate")
    return Finding(
        code="loss_rising",
        severity=Severity.WARNING,
        confidence=0.85 if is_whole else 0.75,
        sentence=f"The train loss rises over {part}, from {number(low)} in its first third to "
        f"{number(high)} in its last ({percent(RISE_SHARE)} of the {number(start)} it began with "
        "count): training makes the model worse on what it is trained on.",
        evidence={
            "loss_first_third": low,
            "loss_last_third": high,
            "slope": line.slope,
            "p_rising": line.p_rising,
            "over_whole_run": is_whole,
            "lr": lr,
            "threshold": RISE_SHARE * start,
        },
        causes=(
            Cause(
                code="lr_high",
                sentence=f"A learning rate of {rate_or(lr, 'that size')} is beyond what the "
                "loss's curvature stands: a slow divergence.",
                confidence=0.5,
            ),
            Cause(
                code="loss_sign",
                sentence="The loss has the wrong sign somewhere: its gradient is climbed.",
                confidence=0.5 if is_whole else 0.1,
            ),
            Cause(
                code="data_drift",
                sentence="Later batches are harder, or their labels other ones: the data are not "
                "shuffled, or change on the way.",
                confidence=0.3,
            ),
        ),
        action=f"Stop it. Cheapest experiment: one epoch at {lower}; if the loss rises as "
        "before, only slower, look at its sign, else at the order of the data.",
        source=SOURCE,
    )
