"""Why a sample was not memorised: causes ranked by what was measured."""

from __future__ import annotations

from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.expectation import are_targets_constant
from recipes.finding import Cause
from recipes.rules.ignores_input import NO_SIGNAL, P_VALUE
from recipes.rules.inputs_not_normalised import are_inputs_constant
from recipes.trial import TrialState
from recipes.words import plural

WHY = {
    "penalty_in_loss": "the penalty stays when every sample is right",
    "wrong_output_activation": "outputs that are clipped or squashed are never as sure as a loss "
    "near zero takes",
    "inputs_not_normalised": "a rate that is low enough for inputs so far off is too low for what "
    "tells samples apart",
    "saturated_activation": "saturated units pass next to no gradient",
}
"""What step 1 finds and lets pass, and why a sample is not memorised then. Inputs: LeCun et al.
1998, 4.3."""


def overfit_causes(evidence: OverfitEvidence) -> tuple[Cause, ...]:
    """Likely causes of a sample that is not memorised, likeliest first."""
    causes: list[Cause] = []
    errors = [run for run in evidence.runs if run.state is TrialState.FAILED]
    if errors and len(errors) == len(evidence.runs):
        causes.append(
            Cause(code="error", sentence=f"Training raised: {errors[0].message}", confidence=0.99)
        )
    blocked = [code for code in dict.fromkeys(evidence.earlier) if code in NO_SIGNAL]
    causes += [
        Cause(code=code, sentence=f"Step 1 found {code}: nothing passes.", confidence=0.85)
        for code in blocked
    ]
    if "activation_scale_drift" in evidence.notes and not blocked:
        causes.append(
            Cause(
                code="init_scale",
                sentence="Step 1 noted activation_scale_drift: initial weights of this scale let "
                "little pass.",
                confidence=0.8,
            )
        )
    causes += [
        Cause(code=code, sentence=f"Step 1 found {code}: {why}.", confidence=0.8)
        for code, why in WHY.items()
        if code in evidence.earlier
    ]
    needs_none = evidence.p_needs_input is not None and evidence.p_needs_input > P_VALUE
    has_signal = not (
        are_inputs_constant(evidence.description) or are_targets_constant(evidence.description)
    )
    if needs_none and has_signal and not causes:
        causes.append(
            Cause(
                code="ignores_input",
                sentence="The network ignores its input.",
                confidence=0.9,
            )
        )
    if "frozen_parameters" in evidence.earlier:
        causes.append(
            Cause(
                code="frozen_parameters",
                sentence="Step 1 found parameters that do not train.",
                confidence=0.7,
            )
        )
    if evidence.description.overlap.conflicting:
        causes.append(
            Cause(
                code="conflicting_labels",
                sentence=f"{plural(evidence.description.overlap.conflicting, 'training sample')} "
                "stand there twice with different targets; no model can fit both.",
                confidence=0.6,
            )
        )
    if evidence.is_on_its_way:
        causes.append(
            Cause(
                code="too_slow",
                sentence="It was on its way: more iterations, or a wider model, may do.",
                confidence=0.5,
            )
        )
    causes.append(
        Cause(
            code="capacity_or_bug",
            sentence="The model is too small, or gradients do not reach what matters.",
            confidence=0.4,
        )
    )
    return tuple(causes)
