"""Validation that is worse than guessing while training is better."""

from __future__ import annotations

import math

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule

ERRORS = 3.0
"""Standard errors under chance, and above it for training (notes on diagnosis, row 37)."""

SOURCE = "Notes on diagnosis, row 37"


@rule("val_below_chance", Precedence.NO_LEARNING)
def val_below_chance(evidence: CurveEvidence) -> Finding | None:
    """Accuracy under 1/C by three standard errors, with train accuracy above it by three."""
    classes = _num_classes(evidence)
    if classes is None or evidence.metric.name != "accuracy":
        return None
    if not is_enough("val_below_chance", evidence) or not (evidence.val.n and evidence.train.n):
        return None
    chance = 1 / classes
    sd = math.sqrt(chance * (1 - chance))
    error, train_error = sd / math.sqrt(evidence.val.n), sd / math.sqrt(evidence.train.n)
    val, train = evidence.val.end, evidence.train.end
    if not (val < chance - ERRORS * error and train > chance + ERRORS * train_error):
        return None
    metric = evidence.metric
    return Finding(
        code="val_below_chance",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=f"Validation accuracy {metric.text(val, error)} is below the "
        f"{metric.text(chance)} of guessing among {classes} classes, by "
        f"{(chance - val) / error:.1f} standard errors, while train accuracy is "
        f"{metric.text(train)}: the validation samples are not fed as the training samples are.",
        evidence={
            "val": val,
            "train": train,
            "chance": chance,
            "standard_error": error,
            "num_val": evidence.val.n,
            "threshold": chance - ERRORS * error,
        },
        causes=(
            Cause(
                code="class_order",
                sentence="The classes are numbered in another order there.",
                confidence=0.6,
            ),
            Cause(
                code="preprocessing",
                sentence="The validation inputs are preprocessed in another way.",
                confidence=0.5,
            ),
            Cause(
                code="train_eval_mismatch",
                sentence="The model behaves otherwise in eval mode (batch norm's statistics).",
                confidence=0.2,
            ),
        ),
        action="Evaluate training samples through the validation pipeline: if they fail too, it "
        "is the pipeline; if not, the labels.",
        source=SOURCE,
    )


def _num_classes(evidence: CurveEvidence) -> int | None:
    if evidence.description.kind == "classification":
        return evidence.description.num_classes
    return 2 if evidence.description.kind == "binary" else None
