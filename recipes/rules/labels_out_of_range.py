"""Labels that no output of the model stands for."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, plural

SOURCE = "static check 0 (method.md, step 0); UMLAUT checks the same"


@rule("labels_out_of_range", Precedence.DATA)
def labels_out_of_range(evidence: InitialLossEvidence) -> Finding | None:
    """Any class label outside 0..C-1 (the ignore index aside)."""
    description, targets = evidence.description, evidence.description.targets
    if not targets.num_out_of_range:
        return None
    classes = description.num_classes
    if description.kind == "classification" and classes:
        allowed = f"0 to {classes - 1}"
        action = "Map the labels to 0..C-1, or correct num_classes, and run the check again."
        if targets.low == 0 and targets.high >= classes:  # else they count from 1
            action = (
                f"Set num_classes = {int(targets.high) + 1} if there are so many classes, else"
                f" map the labels to {allowed}; then run the check again."
            )
        first_cause = Cause(
            code="num_classes_wrong",
            sentence=f"num_classes is {classes} but the labels go up to {number(targets.high)}: "
            "labels that count from 1, or a class too few.",
            confidence=0.7,
        )
    else:
        allowed = "0 to 1"
        action = "Give targets between 0 and 1, and run the check again."
        first_cause = Cause(
            code="targets_not_probabilities",
            sentence="Targets of a binary or multilabel task must lie between 0 and 1.",
            confidence=0.8,
        )
    return Finding(
        code="labels_out_of_range",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"{plural(targets.num_out_of_range, 'training label')} lie outside {allowed} "
        f"(first at sample {targets.first_out_of_range}; labels run from {number(targets.low)} "
        f"to {number(targets.high)}): no loss can be computed for them.",
        evidence={
            "num_out_of_range": targets.num_out_of_range,
            "first_out_of_range": targets.first_out_of_range,
            "low": targets.low,
            "high": targets.high,
            "num_classes": classes,
        },
        causes=(
            first_cause,
            Cause(
                code="padding_label",
                sentence="The value marks padding; then give it as the task's ignore_index.",
                confidence=0.2,
            ),
        ),
        action=action,
        source=SOURCE,
    )
