"""A trial whose learning rate is too low: its loss goes down in a straight line, if at all."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.evidence.trial_series import SATURATED_SHARE, TrialSeries
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.curve_lr_too_high import ABOVE_PEER
from recipes.rules.dead_relu import FAIL_SHARE
from recipes.rules.flat_then_drop import flat_then_drop
from recipes.rules.inputs_not_normalised import are_inputs_raw
from recipes.rules.lower_rate import FAR_BELOW, LOWER_RATE
from recipes.rules.registry import Precedence, rule
from recipes.rules.regularisation import heavy_regularisation
from recipes.space import Float
from recipes.trend import line_over_exponential
from recipes.trial import TrialCause
from recipes.words import number, percent, rate

LOW_RATIO = 1e-4
USUAL_RATIO = 1e-3
"""Update-to-weight ratio under which the rate is low, and what it should be (CS231n notes)."""

LARGEST_FACTOR = 10.0
"""Most the rate is raised by in one go (notes on diagnosis, row 25)."""

SLOW_SHARE = 0.10
"""Fall of the first epoch, as a share of the initial loss, under which it is slow."""

CLEARLY_STRAIGHT = 2.0
"""Difference of AICc from which a line is the better description."""

SOURCE = "CS231n notes, low rates fall in a line; TheDeepChecker; notes on diagnosis, row 16"


@rule("lr_too_low", Precedence.LEARNING_RATE)
def lr_too_low_on_curve(evidence: CurveEvidence) -> Finding | None:
    """The first epoch changes little, the fall is a line, and the weights hardly move.

    The ratio only speaks where it was measured. What the first epoch changes is read from the
    losses by iteration, or, where small batches scatter more than that, from the same samples
    before and after. Silent where something else keeps the weights still: dead or saturated
    units, raw inputs.
    """
    series = evidence.series
    if not is_enough("lr_too_low", evidence) or not math.isfinite(series.lr):
        return None
    if series.cause in (TrialCause.DIVERGED, TrialCause.NON_FINITE):
        return None
    if is_blocked(series) or are_inputs_raw(evidence.description):
        return None
    losses = series.blocks
    start, end = float(np.median(losses[:3])), float(np.median(losses[-3:]))
    in_first = max(3, round(len(losses) / evidence.epochs))
    first_fall = (start - float(np.median(losses[:in_first][-3:]))) / start if start > 0 else 1.0
    fall = (start - end) / start if start > 0 else 1.0
    straightness = line_over_exponential(losses)
    is_slow = first_fall < SLOW_SHARE and (fall < SLOW_SHARE or straightness > CLEARLY_STRAIGHT)
    ratio = series.update_ratio
    still = _fall_of_the_same(evidence)
    if not is_slow and still < SLOW_SHARE and ratio < LOW_RATIO:  # false for NaN
        start, end = evidence.train_loss.start, evidence.train_loss.end
        first_fall = (start - float(evidence.train_loss.trained[0])) / start
        fall, is_slow = still, True
    if not is_slow or ratio >= LOW_RATIO or fall < -SLOW_SHARE:
        return None
    wanted = LARGEST_FACTOR if math.isnan(ratio) or ratio <= 0 else USUAL_RATIO / ratio
    higher = series.lr * min(wanted, LARGEST_FACTOR)
    moves = (
        ""
        if math.isnan(ratio)
        else f" (an iteration changes the weights by {rate(ratio)} of their size; about 1e-3 is "
        "usual)"
    )
    shape = "in a straight line" if straightness > CLEARLY_STRAIGHT else "hardly at all"
    return Finding(
        code="lr_too_low",
        severity=Severity.WARNING,
        confidence=0.6 if math.isnan(ratio) else 0.9,
        sentence=f"Learning rate {rate(series.lr)} is too low: the train loss falls {shape}, by "
        f"{percent(max(first_fall, 0.0))} in the first epoch and from {number(start)} to "
        f"{number(end)} in {evidence.epochs}, where 10 % an epoch is the least at the "
        f"start{moves}.",
        evidence={
            "lr": series.lr,
            "first_epoch_fall": first_fall,
            "fall": fall,
            "line_over_exponential_aicc": straightness,
            "update_ratio": ratio,
            "threshold_fall": SLOW_SHARE,
            "threshold_ratio": LOW_RATIO,
        },
        causes=(
            Cause(
                code="lr_low",
                sentence="The learning rate is too low.",
                confidence=0.6 if math.isnan(ratio) else 0.9,
            ),
            Cause(
                code="gradient_does_not_arrive",
                sentence="Gradients are too small where it matters: dead or saturated units, "
                "depth without normalisation.",
                confidence=0.2,
            ),
        ),
        action=f"Raise the learning rate to {rate(higher)} and above{_beyond(evidence, higher)}. "
        f"Cheapest experiment: one epoch at {rate(higher)}; if the loss still does not move, look "
        "at the gradients.",
        changes=(Adjustment(name="lr", factor=higher / series.lr),),
        source=SOURCE,
    )


def _fall_of_the_same(evidence: CurveEvidence) -> float:
    """The most the loss of one sample of the training data ever fell, as a share; NaN when not
    measured in eval mode."""
    losses = evidence.train_loss
    if not len(losses) or not losses.start > 0 or not evidence.series.is_train_in_eval_mode:
        return math.nan
    return (losses.start - losses.lowest) / losses.start


def is_blocked(series: TrialSeries) -> bool:
    """Whether gradients do not arrive at any rate, for dead or saturated units. False for NaN."""
    return series.dead_share > FAIL_SHARE or series.saturated_share > SATURATED_SHARE


@rule("lr_too_low", Precedence.LEARNING_RATE)
def lr_too_low_beside_peer(evidence: CurveEvidence) -> Finding | None:
    """A trial at a clearly higher rate got further in as many epochs, on both splits.

    Silent where the curve alone says it, and where something else holds the model back:
    parameters that do not train, heavy regularisation, a bad start.
    """
    series, loss = evidence.series, evidence.train_loss
    if not is_enough("lr_too_high", evidence) or lr_too_low_on_curve(evidence) is not None:
        return None
    frozen = any(not (each.trainable and each.reached) for each in evidence.description.parameters)
    if frozen or heavy_regularisation(evidence) or flat_then_drop(evidence) is not None:
        return None
    if is_blocked(series):
        return None
    name, metric = evidence.metric.name, evidence.metric
    error = evidence.val.end_error
    peers = evidence.compared
    losses = peers.after("loss", "train", evidence.epochs)
    gains = peers.after(name, "val", evidence.epochs) - evidence.val.end
    gains = gains if metric.maximise else -gains
    errors = np.hypot(error, peers.errors_after(name, "val", evidence.epochs))
    relevant = max(ABOVE_PEER * abs(loss.end), FAR_BELOW * evidence.start_loss)
    # Comparisons with NaN are false.
    got_further = (loss.end - losses >= relevant) & (gains > SIGNIFICANT_ERRORS * errors)
    found = np.flatnonzero(got_further & (peers.rates >= LOWER_RATE * series.lr))
    if not len(found):
        return None
    most = found[gains[found] == gains[found].max()]
    at = min(most.tolist(), key=lambda place: peers[place].number)
    gain, reached, peer = float(gains[at]), float(losses[at]), peers[at]
    counts = SIGNIFICANT_ERRORS * float(errors[at])
    alone = bool(peers.alike(series)[at])
    return Finding(
        code="lr_too_low",
        severity=Severity.WARNING,
        confidence=0.85 if alone else 0.6,
        sentence=f"Learning rate {rate(series.lr)} is too low for {evidence.epochs} epochs: at "
        f"{rate(peer.lr)} trial {peer.number} took the train loss to {number(reached)} in as "
        f"many, where this one ends at {number(loss.end)}, and is better on validation by "
        f"{metric.difference(gain)} ({metric.difference(counts)} count).",
        evidence={
            "lr": series.lr,
            "train_loss": loss.end,
            "peer": peer.number,
            "peer_lr": peer.lr,
            "peer_train_loss": reached,
            "gain": gain,
            "only_rate_differs": alone,
            "threshold": counts,
        },
        causes=(
            Cause(
                code="lr_low",
                sentence="The learning rate is too low.",
                confidence=0.85 if alone else 0.6,
            ),
            Cause(
                code="too_short",
                sentence="It would get there in more epochs.",
                confidence=0.4,
            ),
            *(
                ()
                if alone
                else (
                    Cause(
                        code="other_setting",
                        sentence=f"Something else makes trial {peer.number} better.",
                        confidence=0.4,
                    ),
                )
            ),
        ),
        action=f"Raise the learning rate to {rate(min(peer.lr, LARGEST_FACTOR * series.lr))}. "
        "Cheapest experiment: this setting at it for as many epochs.",
        changes=(Adjustment(name="lr", factor=min(peer.lr / series.lr, LARGEST_FACTOR)),),
        source=SOURCE,
    )


def _beyond(evidence: CurveEvidence, lr: float) -> str:
    """Where the task's range ends, when the rate that is wanted lies beyond it."""
    own = evidence.description.space.root.get("lr")
    if not isinstance(own, Float) or lr <= own.high:
        return ""
    return f": the task's range ends at {rate(own.high)}, widen it"
