"""A loss that is no number on some samples, though training goes on."""

from __future__ import annotations

import math

from recipes.evidence.curves import CurveEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trial import TrialCause
from recipes.words import percent

SOURCE = "notes on diagnosis, row 13"


@rule("non_finite_loss", Precedence.NON_FINITE)
def non_finite_evaluation(evidence: CurveEvidence) -> Finding | None:
    """An evaluation's loss is NaN or infinite in a trial that ran to its end.

    The curve ends there, and everything that is read from it with it. A logarithm of zero is
    met on samples that were never trained on first: nothing has made the model sure of them.
    """
    if evidence.series.cause is not TrialCause.FINISHED:
        return None
    measured = [each for each in evidence.series.evaluations if each.loss.n]
    gone = [each for each in measured if not math.isfinite(each.loss.mean)]
    if not gone:
        return None
    split = gone[0].split
    of_split = [math.isfinite(each.loss.mean) for each in measured if each.split == split]
    share = of_split.count(False) / len(of_split)
    where = {"train": "training", "val": "validation"}.get(split, split)
    return Finding(
        code="non_finite_loss",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence=f"The loss on {where} samples is NaN or infinite in {percent(share)} of its "
        f"evaluations, first after iteration {gone[0].iteration}, while training goes on: the "
        "curve that settings are judged by ends there.",
        evidence={"split": split, "first_iteration": gone[0].iteration, "share": share},
        causes=(
            Cause(
                code="undefined_operation",
                sentence="Some sample makes model or loss take log(0), 0/0 or overflow.",
                confidence=0.8,
            ),
            Cause(
                code="lr_high",
                sentence="Weights are so large that outputs overflow in eval mode.",
                confidence=0.2,
            ),
        ),
        action="Find the first sample with a non-finite loss and look at it; add a small epsilon "
        "inside log and division.",
        source=SOURCE,
    )
