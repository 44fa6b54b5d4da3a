"""Updates out of proportion to the weights, in a trial that does not learn as it should."""

from __future__ import annotations

from recipes.evidence.curves import CurveEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.curve_lr_too_high import lr_too_high_on_curve
from recipes.rules.curve_lr_too_low import is_blocked, lr_too_low_on_curve
from recipes.rules.impairment import EXPLODED, impairment, is_rate_cleared
from recipes.rules.noisy_loss import says_little
from recipes.rules.registry import Precedence, rule
from recipes.rules.update_ratio import HIGH, LOW, SOURCE
from recipes.rules.vanishing_gradient import has_vanished
from recipes.words import rate, rate_or

USUAL = 1e-3
"""norm(update) / norm(weight) that is wanted (CS231n notes)."""

LARGEST_FACTOR = 10.0
"""Most the rate is changed by in one go (row 25)."""

LARGEST_CONFIDENCE = 0.9
SURE_FACTOR = 10.0
"""Beyond the threshold by this factor the notes call it a failure: [1e-5, 1e-1] (row 25)."""


@rule("update_ratio_low", Precedence.INTERNALS)
def update_ratio_low_on_curve(evidence: CurveEvidence) -> Finding | None:
    """Impaired, and an iteration changes the weights by less than 1e-4 of their size.

    Silent where ``lr_too_low`` says it, which names the ratio too, and where gradients do
    not arrive: dead or saturated units, or a gradient that vanishes. Silent too where
    batches are so small that small steps are right.
    """
    ratio = evidence.series.update_ratio
    if not 0 < ratio < LOW or lr_too_low_on_curve(evidence) is not None:
        return None
    series = evidence.series
    if is_blocked(series) or has_vanished(series.gradients.first, series.gradients.last):
        return None
    if says_little(evidence):
        return None  # small steps are right where a batch says little
    return _finding(evidence, "update_ratio_low", ratio)


@rule("update_ratio_high", Precedence.INTERNALS)
def update_ratio_high_on_curve(evidence: CurveEvidence) -> Finding | None:
    """Impaired, and an iteration changes the weights by more than 1e-2 of their size.

    Silent where ``lr_too_high`` says it, and where the probe found the rate not to blame.
    """
    ratio = evidence.series.update_ratio
    if not ratio > HIGH or lr_too_high_on_curve(evidence) is not None or is_rate_cleared(evidence):
        return None
    return _finding(evidence, "update_ratio_high", ratio)


def _finding(evidence: CurveEvidence, code: str, ratio: float) -> Finding | None:
    impaired = impairment(evidence)
    if impaired is None:
        return None
    exploded = evidence.series.cause in EXPLODED  # then that leads
    is_low = code == "update_ratio_low"
    threshold = LOW if is_low else HIGH
    beyond = threshold / ratio if is_low else ratio / threshold
    lr = evidence.series.lr
    factor = min(max(USUAL / ratio, 1 / LARGEST_FACTOR), LARGEST_FACTOR)
    direction = "below" if is_low else "above"
    wanted = rate_or(lr * factor, f"{rate(factor)} times the present one")
    return Finding(
        code=code,
        severity=Severity.INFO if exploded else Severity.WARNING,
        confidence=LARGEST_CONFIDENCE if beyond >= SURE_FACTOR else 0.6,
        sentence=f"An iteration changes the weights by {rate(ratio)} of their size, {direction} "
        f"{rate(threshold)} where about {rate(USUAL)} is usual, and {impaired}: the steps are too "
        f"{'small to get anywhere' if is_low else 'large to settle'}.",
        evidence={"update_ratio": ratio, "lr": lr, "threshold": threshold},
        causes=(
            Cause(
                code="lr_low" if is_low else "lr_high",
                sentence=f"The learning rate is too {'low' if is_low else 'high'}.",
                confidence=0.6,
            ),
            Cause(
                code="gradient_does_not_arrive" if is_low else "weight_scale",
                sentence="Gradients are too small where it matters: dead or saturated units, "
                "depth without normalisation."
                if is_low
                else "The initial weights are small, so any step is large beside them.",
                confidence=0.4,
            ),
            Cause(
                code="weight_scale" if is_low else "exploding_gradient",
                sentence="The weights are large (initialisation, or no decay)."
                if is_low
                else "Gradients are large: depth or recurrence without normalisation.",
                confidence=0.2,
            ),
        ),
        action=f"A learning rate of about {wanted}. Cheapest experiment: one epoch at it; if the "
        "loss goes on as before, look at the gradients layer by layer.",
        changes=(Adjustment(name="lr", factor=factor),),
        source=SOURCE,
    )
