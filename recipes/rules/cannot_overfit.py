"""A model that cannot memorise a handful of samples."""

from __future__ import annotations

import math

from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.finding import Adjustment, Finding, Severity
from recipes.rules.ignores_input import NO_SIGNAL
from recipes.rules.overfit_causes import WHY, overfit_causes
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, plural, rate

SOURCE = "CS231n notes, overfit a tiny subset; Karpathy's recipe; notes on diagnosis, row 10"


@rule("cannot_overfit", Precedence.NO_LEARNING)
def cannot_overfit(evidence: OverfitEvidence) -> Finding | None:
    """No setting reaches every sample right and a loss near zero."""
    if evidence.passed or evidence.is_undecidable:
        return None
    causes = overfit_causes(evidence)
    best = evidence.best
    reached = (
        f"at best the loss went from {number(best.start_loss)} to {number(best.end_loss)}"
        + (f" with {percent(best.end_accuracy)} right" if best.end_accuracy is not None else "")
        + f" (learning rate {rate(best.lr)})"
        if best
        else "no run ended with a finite loss"
    )
    return Finding(
        code="cannot_overfit",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=f"The model cannot memorise {plural(evidence.sample_size, 'sample')}: {reached}, "
        f"in {plural(len(evidence.runs), 'setting')} tried. {causes[0].sentence}",
        evidence={
            "num_settings": len(evidence.runs),
            "best_loss": best.end_loss if best else math.inf,
            "best_accuracy": best.end_accuracy if best else None,
            "target_loss": evidence.target,
            "num_samples": evidence.sample_size,
        },
        causes=causes,
        action=_action(causes[0].code),
        changes=CHANGES.get(causes[0].code, ()),
        source=SOURCE,
    )


INITIALISE = (Adjustment(name="init", value="kaiming"),)
WIDEN = (Adjustment(name="width", factor=2.0),)
CHANGES = {
    **dict.fromkeys(("init_scale", *NO_SIGNAL), INITIALISE),
    **dict.fromkeys(("too_slow", "capacity_or_bug"), WIDEN),
    "inputs_not_normalised": (Adjustment(name="standardise", value=True),),
}
"""By the first cause."""


def _action(cause: str) -> str:
    if CHANGES.get(cause) == INITIALISE:
        return (
            "Initialise with init=kaiming (ReLU) or init=xavier (tanh), or add normalisation "
            "layers, and run the check again."
        )
    if cause in WHY:
        return f"Mend what step 1 found ({cause}) and run the check again."
    return {
        "error": "Mend the error and run the check again.",
        "ignores_input": "Follow one sample from data() through forward().",
        "frozen_parameters": "Let all parameters train and run the check again.",
        "conflicting_labels": "Clean identical inputs that carry different targets.",
        "too_slow": "Double the model's width and run the check again.",
    }.get(cause, "Double the model's width; if that changes nothing, look for a bug in forward().")
