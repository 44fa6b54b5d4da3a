"""Sigmoid and tanh units whose inputs lie where the curve is flat."""

from __future__ import annotations

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.evidence.trial_series import SATURATED_SHARE
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.impairment import impairment, is_rate_cleared
from recipes.rules.inputs_not_normalised import inputs_not_normalised
from recipes.rules.registry import Precedence, rule
from recipes.words import percent

SOURCE = "DeepDiagnosis, saturated activation; notes on diagnosis, row 21"


@rule("saturated_activation", Precedence.INTERNALS_AT_START)
def saturated_at_start(evidence: InitialLossEvidence) -> Finding | None:
    """Most of a layer's inputs are beyond +-5 before training has begun."""
    layer, share = evidence.saturated_share
    if share <= SATURATED_SHARE:
        return None
    raw_inputs = inputs_not_normalised(evidence)
    return _finding(
        f"{percent(share)} of the inputs of {layer} lie beyond +-5 at initialisation, where its "
        f"curve is flat ({percent(SATURATED_SHARE)} count): hardly any gradient passes, so the "
        "layers before it cannot learn.",
        share,
        layer=layer,
        confidence=0.95,
        causes=(
            Cause(
                code="large_weights",
                sentence="The weights before it are initialised too large.",
                confidence=0.4 if raw_inputs else 0.8,
            ),
            Cause(
                code="inputs_not_normalised",
                sentence="The inputs are not normalised."
                if raw_inputs is None
                else raw_inputs.sentence,
                confidence=0.1 if raw_inputs is None else 0.8,
            ),
        ),
        action="Normalise the inputs in data()."
        if raw_inputs
        else "Initialise by Xavier's rule (init=xavier), or put a normalisation layer before it.",
        changes=(Adjustment(name="standardise", value=True),)
        if raw_inputs
        else (Adjustment(name="init", value="xavier"),),
    )


@rule("saturated_activation", Precedence.INTERNALS)
def saturated_at_end(evidence: CurveEvidence) -> Finding | None:
    """Impaired, and most of a layer's inputs end beyond +-5.

    Silent where the probe found the rate not to blame: what was not saturated at the start
    (step 1 looks) was then driven there by the task, as a layer of very few units is.
    """
    share = evidence.series.saturated_share
    if is_rate_cleared(evidence) or not share > SATURATED_SHARE:  # NaN where it was not measured
        return None
    impaired = impairment(evidence)
    if impaired is None:
        return None
    return _finding(
        f"{percent(share)} of the inputs of a sigmoid or tanh layer lie beyond +-5 at the end, "
        f"where its curve is flat ({percent(SATURATED_SHARE)} count), and {impaired}: hardly any "
        "gradient passes that layer.",
        share,
        layer=None,
        confidence=0.8,
        causes=(
            Cause(
                code="lr_high",
                sentence="Large steps drove the weights before it up.",
                confidence=0.5,
            ),
            Cause(
                code="large_weights",
                sentence="They were large from the start.",
                confidence=0.5,
            ),
            Cause(
                code="inputs_not_normalised",
                sentence="The inputs are not normalised.",
                confidence=0.3,
            ),
        ),
        action="Initialise by Xavier's rule (init=xavier) and divide the rate by three; or take "
        "another activation. Cheapest experiment: one epoch from init=xavier; if as many "
        "saturate, the rate does it.",
        changes=(
            Adjustment(name="init", value="xavier"),
            Adjustment(name="lr", factor=1 / 3),
        ),
    )


def _finding(
    sentence: str,
    share: float,
    *,
    layer: str | None,
    confidence: float,
    causes: tuple[Cause, ...],
    action: str,
    changes: tuple[Adjustment, ...],
) -> Finding:
    return Finding(
        code="saturated_activation",
        severity=Severity.WARNING,
        confidence=confidence,
        sentence=sentence,
        evidence={"layer": layer, "saturated_share": share, "threshold": SATURATED_SHARE},
        causes=tuple(sorted(causes, key=lambda cause: -cause.confidence)),
        action=action,
        changes=changes,
        source=SOURCE,
    )
