"""Gradients that grow on their way back, or leap in training."""

from __future__ import annotations

import math

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.dead_relu import FAIL_SHARE
from recipes.rules.impairment import EXPLODED, impairment
from recipes.rules.inputs_not_normalised import are_inputs_raw, inputs_not_normalised
from recipes.rules.noisy_loss import says_little
from recipes.rules.registry import Precedence, rule
from recipes.rules.sum_reduction import sum_reduction
from recipes.words import number, rate_or

FIRST_OVER_LAST = 70.0
"""The first weight tensor's gradient norm over the last one's (AutoTrainer; row 23)."""

LEAP = 10.0
"""The whole gradient's norm over its running median (row 23)."""

INITIAL_NORM = 100.0
"""The whole gradient's norm before training, for a cross-entropy: healthy models have 0.1 to
10, and a step of 1e-3 of the weights' size wants a rate a hundred times under the usual from
here on (ours)."""

CROSS_ENTROPIES = ("classification", "binary", "multilabel")

SOURCE = "AutoTrainer, exploding gradient; Deep Learning Tuning Playbook, clipping; row 23"


@rule("exploding_gradient", Precedence.INTERNALS_AT_START)
def exploding_at_start(evidence: InitialLossEvidence) -> Finding | None:
    """A cross-entropy's gradient of norm 100 and more before training.

    Silent where raw inputs or a loss that sums over the batch explain it.
    """
    norm = evidence.gradient_norm
    if evidence.description.kind not in CROSS_ENTROPIES or not norm > INITIAL_NORM:
        return None
    if inputs_not_normalised(evidence) is not None or sum_reduction(evidence) is not None:
        return None
    return _finding(
        f"The gradient has a norm of {number(norm)} before training, where {number(INITIAL_NORM)} "
        "counts and about 1 is usual: the first steps throw the weights far away.",
        confidence=0.8,
        severity=Severity.WARNING,
        numbers={"gradient_norm": norm, "threshold": INITIAL_NORM},
    )


@rule("exploding_gradient", Precedence.INTERNALS)
def exploding_in_training(evidence: CurveEvidence) -> Finding | None:
    """Impaired, and the gradient grows towards the first layer, leaps, or is not finite.

    Where the loss itself exploded this is information: ``diverged`` leads.
    """
    gradients = evidence.series.gradients
    ratio, leap = gradients.first_over_last, gradients.largest_leap
    grows, leaps = ratio > FIRST_OVER_LAST, leap > LEAP  # false for NaN
    if grows and are_inputs_raw(evidence.description):
        grows = False  # the first weights' gradient is a product with the inputs
    if says_little(evidence):
        leaps = False  # any hard sample makes a batch of few leap
    if not (grows or leaps or not gradients.is_finite):
        return None
    if evidence.series.dead_share > FAIL_SHARE:
        return None  # beside a dying network's next to no gradient, any leaps
    impaired = impairment(evidence)
    if impaired is None:
        return None
    what = []
    if not gradients.is_finite:
        what.append("the gradient stops being a number")
    if leaps:
        what.append(
            f"its norm leaps to {number(leap)} times the running median ({number(LEAP)} count)"
        )
    if grows:
        what.append(
            f"it is {number(ratio)} times as large at the first weights as at the last "
            f"({number(FIRST_OVER_LAST)} count)"
        )
    course = " and ".join(what)
    exploded = evidence.series.cause in EXPLODED
    return _finding(
        f"The gradient explodes: {course}, and {impaired}. A few such steps undo what hundreds "
        "of others learned.",
        confidence=0.6 if exploded else 0.75,
        severity=Severity.INFO if exploded else Severity.WARNING,
        numbers={
            "first_over_last": None if math.isnan(ratio) else ratio,
            "largest_leap": None if math.isnan(leap) else leap,
            "is_finite": gradients.is_finite,
            "threshold_ratio": FIRST_OVER_LAST,
            "threshold_leap": LEAP,
        },
        lr=evidence.series.lr,
    )


def _finding(
    sentence: str,
    *,
    confidence: float,
    severity: Severity,
    numbers: dict[str, float | bool | None],
    lr: float = math.nan,
) -> Finding:
    lower = f"at {rate_or(lr / 3, 'a third of the rate')}"
    return Finding(
        code="exploding_gradient",
        severity=severity,
        confidence=confidence,
        sentence=sentence,
        evidence={**numbers},
        causes=(
            Cause(
                code="init_scale",
                sentence="The initial weights are too large for the layers' width.",
                confidence=0.5,
            ),
            Cause(
                code="depth_or_recurrence",
                sentence="Depth or recurrence without normalisation multiplies what passes.",
                confidence=0.5,
            ),
            Cause(
                code="lr_high",
                sentence="The learning rate drives the weights where the loss is steep.",
                confidence=0.4,
            ),
        ),
        action="Clip the gradient at the 90th percentile of its norm (grad_clip), and initialise "
        f"by He's or Xavier's rule. Cheapest experiment: one epoch {lower}; if it leaps all the "
        "same, it is the initialisation or the depth.",
        changes=(Adjustment(name="init", value="kaiming"),),
        source=SOURCE,
    )
