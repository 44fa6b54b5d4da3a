"""A validation metric that swings from epoch to epoch by more than its samples explain."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.inputs_not_normalised import scales_differ
from recipes.rules.registry import Precedence, rule
from recipes.rules.regularisation import heavy_regularisation
from recipes.rules.train_eval_mismatch import is_mode_at_fault
from recipes.trend import noise_sd
from recipes.words import number, rate, rate_or

WINDOW = 10
"""Epochs looked at, the last ones (notes on diagnosis, row 18)."""

SWINGS = 2.0
"""Standard errors of one evaluation above which the swing is the optimisation's. Up to 1.5
it is the validation set's (row 18; small_validation_set says so)."""

CERTAIN = 1.4
"""Factor by which the swing must pass that, for a sd of ten values is itself uncertain: the upper
5 % point of chi-squared with the eight degrees of freedom that second differences leave is 15.5,
and sqrt(15.5 / 8) is 1.4."""

SOURCE = "Deep Learning Tuning Playbook, step-to-step variance late in training; row 18"


@rule("oscillation", Precedence.NOISE)
def oscillation(evidence: CurveEvidence) -> Finding | None:
    """Sd of the detrended metric over the last ten epochs, against its standard error.

    Silent where something else explains swings: layers that act otherwise in eval mode,
    validation inputs on another scale, or heavy regularisation (under batch norm weight decay
    drives the effective rate up: van Laarhoven 2017).
    """
    if not is_enough("oscillation", evidence):
        return None
    if is_mode_at_fault(evidence) or scales_differ(evidence.description):
        return None
    if heavy_regularisation(evidence):
        return None
    metric, val = evidence.metric, evidence.val
    swing, error = noise_sd(val.trained[-WINDOW:]), _usual_error(evidence)
    if not swing > CERTAIN * SWINGS * error:
        return None
    lr = evidence.series.lr
    batch = evidence.series.params.get("batch_size", evidence.description.default_batch_size)
    lower = rate_or(lr / 10, "a tenth of the rate")
    late = "is still" if not evidence.is_decayed else "began at"
    return Finding(
        code="oscillation",
        severity=Severity.WARNING,
        confidence=0.8,
        sentence=f"Validation {metric.label} swings by {metric.difference(swing)} (sd) from epoch "
        f"to epoch over the last {WINDOW}, {number(swing / error, 2)} times the "
        f"{metric.difference(error)} that {val.n:,} samples explain, where "
        f"{number(CERTAIN * SWINGS)} "
        "count: how good the model is depends on where training happens to stop.",
        evidence={
            "sd": swing,
            "standard_error": error,
            "num_val": val.n,
            "lr": lr,
            "batch_size": batch,
            "threshold": CERTAIN * SWINGS * error,
        },
        causes=(
            Cause(
                code="lr_high_late",
                sentence=_high_late(evidence, late),
                confidence=0.7 if not evidence.is_decayed else 0.3,
            ),
            Cause(
                code="small_batch",
                sentence=f"Batches of {batch} give noisy gradients.",
                confidence=0.4,
            ),
        ),
        action="Let the learning rate decay, or average the weights of the last epochs. Cheapest "
        f"experiment: two epochs from the last weights at {lower}; if the swings stay, "
        "double the batch.",
        changes=(Adjustment(name="lr", factor=1 / 3),)
        if evidence.is_decayed
        else (Adjustment(name="schedule", value="cosine"),),
        source=SOURCE,
    )


def _usual_error(evidence: CurveEvidence) -> float:
    """Root mean square of the window's standard errors; NaN when one is unknown.

    Of the whole window, since an accuracy that dips has a larger error below than on top;
    never under the least it can move, one sample.
    """
    metric, val = evidence.metric, evidence.val
    errors = val.standard_errors[-WINDOW:]
    least = 1 / val.n if metric.has_points and val.n else 0.0
    return max(math.sqrt(float(np.mean(errors**2))), least)


def _high_late(evidence: CurveEvidence, late: str) -> str:
    """What the rate did, as far as it is known."""
    lr = evidence.series.lr
    if not math.isfinite(lr):
        return "The learning rate is too high at the end."
    if evidence.is_decayed:
        return f"The learning rate {late} {rate(lr)}, and comes down too late."
    return f"The learning rate {late} {rate(lr)} at the end."
