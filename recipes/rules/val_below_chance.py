"""Validation that is worse than guessing while training is better."""

from __future__ import annotations

import math

from recipes.description import TaskDescription
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, rate

ERRORS = 3.0
"""Standard errors under chance, and above it for training (notes on diagnosis, row 37)."""

LEARNED_SHARE = 0.2
"""Fall of the train loss below a constant guess's that a hundred iterations of memory alone do
not make: on shuffled labels they make 3 % (method.md, step 3)."""

SOURCE = "Notes on diagnosis, row 37"


@rule("val_below_chance", Precedence.NO_LEARNING)
def val_below_chance_in_finder(evidence: LrFinderEvidence) -> Finding | None:
    """Where the train loss falls most, unseen samples are right less often than by guessing."""
    description, lowest = evidence.description, evidence.lowest
    classes = _num_classes(description)
    if classes is None or lowest is None or not lowest.num_unseen:
        return None
    known = lowest.train_before if evidence.baseline is None else evidence.baseline
    chance = 1 / classes
    error = math.sqrt(chance * (1 - chance) / lowest.num_unseen)
    # Comparisons with NaN are false.
    if not lowest.accuracy < chance - ERRORS * error:
        return None
    if not lowest.train_after < (1 - LEARNED_SHARE) * known:
        return None
    return _finding(
        f"At {rate(lowest.lr)} the train loss falls from {number(lowest.train_before)} to "
        f"{number(lowest.train_after)}, and of the unseen samples {percent(lowest.accuracy)} are "
        f"right, {(chance - lowest.accuracy) / error:.1f} standard errors below the "
        f"{percent(chance)} of guessing among {classes} classes: the validation samples are not "
        "fed as the training samples are.",
        {
            "val": lowest.accuracy,
            "train_loss": lowest.train_after,
            "chance": chance,
            "standard_error": error,
            "num_val": lowest.num_unseen,
            "threshold": chance - ERRORS * error,
        },
    )


@rule("val_below_chance", Precedence.NO_LEARNING)
def val_below_chance(evidence: CurveEvidence) -> Finding | None:
    """Accuracy under 1/C by three standard errors, with train accuracy above it by three."""
    classes = _num_classes(evidence.description)
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
    return _finding(
        f"Validation accuracy {metric.text(val, error)} is below the "
        f"{metric.text(chance)} of guessing among {classes} classes, by "
        f"{(chance - val) / error:.1f} standard errors, while train accuracy is "
        f"{metric.text(train)}: the validation samples are not fed as the training samples are.",
        {
            "val": val,
            "train": train,
            "chance": chance,
            "standard_error": error,
            "num_val": evidence.val.n,
            "threshold": chance - ERRORS * error,
        },
    )


def _finding(sentence: str, numbers: dict[str, float]) -> Finding:
    return Finding(
        code="val_below_chance",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=sentence,
        evidence={**numbers},
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


def _num_classes(description: TaskDescription) -> int | None:
    if description.kind == "classification":
        return description.num_classes
    return 2 if description.kind == "binary" else None
