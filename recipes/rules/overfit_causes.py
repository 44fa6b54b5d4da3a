"""Why a sample was not memorised: causes ranked by what was measured."""

from __future__ import annotations

from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.finding import Cause
from recipes.rules.ignores_input import P_VALUE
from recipes.trial import TrialState
from recipes.words import plural


def overfit_causes(evidence: OverfitEvidence) -> tuple[Cause, ...]:
    """Likely causes of a sample that is not memorised, likeliest first."""
    causes: list[Cause] = []
    errors = [run for run in evidence.runs if run.state is TrialState.FAILED]
    if errors and len(errors) == len(evidence.runs):
        causes.append(
            Cause(code="error", sentence=f"Training raised: {errors[0].message}", confidence=0.99)
        )
    if evidence.p_needs_input is not None and evidence.p_needs_input > P_VALUE:
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
    best = evidence.best
    if best is not None and best.end_loss < 0.5 * best.start_loss:
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
