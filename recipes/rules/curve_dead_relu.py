"""ReLU units that have died in training, in a trial that does not learn as it should."""

from __future__ import annotations

from recipes.evidence.curves import CurveEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.dead_relu import FAIL_SHARE, NOTE_SHARE, SOURCE
from recipes.rules.impairment import impairment
from recipes.rules.registry import Precedence, rule
from recipes.words import percent, rate_or


@rule("dead_relu", Precedence.INTERNALS)
def dead_relu_on_curve(evidence: CurveEvidence) -> Finding | None:
    """Impaired, and a layer ends with units that are zero for every sample."""
    share = evidence.series.dead_share
    if not share > NOTE_SHARE:  # NaN where it was not measured
        return None
    impaired = impairment(evidence)
    if impaired is None:
        return None
    most = share > FAIL_SHARE
    lr = evidence.series.lr
    return Finding(
        code="dead_relu",
        severity=Severity.WARNING if most else Severity.INFO,
        confidence=0.85 if most else 0.5,
        sentence=f"{percent(share)} of a layer's ReLU units are dead at the end, zero for every "
        f"sample, where {percent(FAIL_SHARE)} are a fault and {percent(NOTE_SHARE)} a hint, and "
        f"{impaired}: no gradient passes a dead unit, so it never comes back.",
        evidence={"dead_share": share, "lr": lr, "threshold": FAIL_SHARE if most else NOTE_SHARE},
        causes=(
            Cause(
                code="lr_high",
                sentence=f"Steps at {rate_or(lr, 'this learning rate')} threw biases and weights "
                "below where any sample activates them.",
                confidence=0.6,
            ),
            Cause(
                code="negative_bias",
                sentence="They were dead or nearly so from the start (initialisation).",
                confidence=0.3,
            ),
            Cause(
                code="input_offset",
                sentence="The layer's inputs are far from mean zero.",
                confidence=0.3,
            ),
        ),
        action=f"A learning rate of {rate_or(lr / 3, 'a third')}, biases at zero and He's weights "
        "(init=kaiming); or LeakyReLU or GELU. Cheapest experiment: one epoch at a third of the "
        "rate; if as many units die, it is the initialisation or the inputs.",
        changes=(Adjustment(name="lr", factor=1 / 3),),
        source=SOURCE,
    )
