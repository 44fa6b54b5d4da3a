"""A finding after an experiment: causes ranked anew, confidence changed, one sentence more."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.finding import Adjustment, Cause, Finding
from recipes.value import Scalar


def revised(
    finding: Finding,
    *,
    sentence: str,
    confidence: float,
    causes: Mapping[str, float],
    evidence: Mapping[str, Scalar],
    new_causes: tuple[Cause, ...] = (),
    action: str | None = None,
    changes: tuple[Adjustment, ...] | None = None,
) -> Finding:
    """The finding with what an experiment showed.

    Args:
        finding: Before.
        sentence: The experiment, its numbers and what follows, added to the finding's own.
        confidence: Of the finding from now on.
        causes: New confidences by code; causes that are not named keep theirs.
        evidence: The experiment's numbers.
        new_causes: Causes that nobody had thought of before.
        action: What to do now; None: as before.
        changes: The same for programs, with ``action``.
    """
    own = [
        cause.model_copy(update={"confidence": causes.get(cause.code, cause.confidence)})
        for cause in finding.causes
    ]
    known = {cause.code for cause in own}
    ranked = [*own, *(cause for cause in new_causes if cause.code not in known)]
    ranked.sort(key=lambda cause: -cause.confidence)
    update: dict[str, object] = {
        "sentence": f"{finding.sentence} {sentence}",
        "confidence": confidence,
        "causes": tuple(ranked),
        "evidence": {**finding.evidence, **evidence},
    }
    if action is not None:
        update |= {"action": action, "changes": changes or ()}
    return finding.model_copy(update=update)
