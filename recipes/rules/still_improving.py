"""A run that ended while validation still improved."""

from __future__ import annotations

import math

from recipes.evidence.curves import KEPT_GAIN, CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.curve_lr_too_low import lr_too_low_on_curve
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, plural

LEAST_GAIN = 0.01
"""Predicted gain that counts, as a share of the loss (notes on diagnosis, row 34)."""

LEAST_POINTS = 0.005
ONE_SIDED_Z = 1.645
"""Predicted gain of the metric that pays for as many epochs again, in points of accuracy or R²,
else as a share of its improvement since the start (ours), and in standard errors: one-sided
5 %."""

SOURCE = "Deep Learning Tuning Playbook, how long to train; notes on diagnosis, row 34"


@rule("still_improving", Precedence.FIT)
def still_improving(evidence: CurveEvidence) -> Finding | None:
    """Validation loss falls over the last epochs, and as many again would pay.

    As many epochs again cannot more than halve what is left of the loss, or of the way to a
    perfect metric: no curve that falls like 1/epoch does. Silent under a decayed rate: there
    the end of the fall is the schedule's doing, and the last slope says nothing of a longer
    run. Silent too where the loss only comes back to where it was.
    """
    outlook = evidence.val_outlook
    if outlook is None or evidence.is_decayed or not is_enough("still_improving", evidence):
        return None
    loss = evidence.val_loss
    gain = min(outlook.gain, KEPT_GAIN * loss.end) if loss.end > 0 else outlook.gain
    loss_error = loss.end_error if math.isfinite(loss.end_error) else 0.0
    threshold = max(loss_error, LEAST_GAIN * abs(loss.end))
    before = loss.trained[: -outlook.trend.num_points]
    is_new_ground = not len(before) or loss.end < float(before.min())
    if gain <= threshold or not is_new_ground or lr_too_low_on_curve(evidence) is not None:
        return None
    score, metric = evidence.metric_outlook, evidence.metric
    metric_gain = score.gain if score is not None else 0.0
    if metric.has_points:
        metric_gain = min(metric_gain, KEPT_GAIN * (1 - evidence.val.end))
    # The loss goes on falling long after the metric has stopped to follow.
    error = evidence.val.end_error
    worth = LEAST_POINTS * evidence.scale if math.isfinite(evidence.scale) else 0.0
    pays = math.isnan(error) or metric_gain > max(ONE_SIDED_Z * error, worth)
    epochs = evidence.epochs
    promise = (
        f"and {metric.label}, now {metric.text(evidence.val.end, evidence.val.end_error)}, would "
        f"gain about {metric.difference(metric_gain)}: it was trained too short"
        if pays
        else f"but {metric.label} ({metric.text(evidence.val.end, evidence.val.end_error)}) "
        "hardly follows any more: training longer would mostly raise confidence"
    )
    fall = abs(outlook.trend.slope)
    return Finding(
        code="still_improving",
        severity=Severity.WARNING if pays else Severity.INFO,
        confidence=0.8 if pays else 0.5,
        sentence=f"Still improving at the end: over the last "
        f"{plural(outlook.trend.num_points, 'epoch')} of {epochs} validation loss falls by "
        f"{number(fall, 2)} an epoch ({percent(fall / loss.end) if loss.end > 0 else ''}); "
        f"another {plural(epochs, 'epoch')} would take it from {number(loss.end)} to about "
        f"{number(loss.end - gain)} (gains under {number(threshold, 2)} do not count), {promise}.",
        evidence={
            "slope": -outlook.trend.slope,
            "slope_bound": -outlook.trend.low,
            "predicted_gain": gain,
            "predicted_metric_gain": metric_gain,
            "loss": loss.end,
            "epochs": epochs,
            "threshold": threshold,
        },
        causes=(
            Cause(
                code="too_short",
                sentence=f"{plural(epochs, 'epoch')} are too few for this setting.",
                confidence=0.7,
            ),
            Cause(
                code="lr_low",
                sentence="The learning rate is on the low side: three times as much would get "
                "there sooner.",
                confidence=0.4,
            ),
        ),
        action=f"Train {plural(2 * epochs, 'epoch')}. Cheapest experiment to tell the causes "
        "apart: as many epochs as now at three times the learning rate."
        if pays
        else "Nothing to do for the metric; train longer if the loss itself matters.",
        changes=(Adjustment(name="epochs", factor=2.0),) if pays else (),
        source=SOURCE,
    )
