"""How a trial was trained, and why so."""

from __future__ import annotations

from recipes.fusing import NOT_MEASURED, Fusing
from recipes.words import plural
from service.views.models import TrialView

NO_COMPANY = "too few trials of its form were there to train with it"


def how_trained(trial: TrialView, fusing: Fusing | None) -> str:
    """A sentence on a trial's page; empty where nothing was trained, or not yet.

    Args:
        trial: Which.
        fusing: What was measured of training together; None before the task is described.
    """
    if trial.engine is None or trial.num_together is None or not trial.iterations:
        return ""
    if trial.engine == "fused":
        others = trial.num_together - 1
        if others:
            return f"Trained together with {plural(others, 'other')} (fused)."
        return "Trained with no other beside it (fused)."
    reason = trial.engine_reason or _reason(fusing)
    return f"Trained alone: {reason}." if reason else "Trained alone."


def _reason(fusing: Fusing | None) -> str:
    if fusing is None or fusing.reason == NOT_MEASURED:
        return ""
    return NO_COMPANY if fusing.is_ever_worth else fusing.reason
