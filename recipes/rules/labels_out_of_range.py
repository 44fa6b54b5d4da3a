"""Labels that no output of the model stands for."""

from __future__ import annotations

from recipes.description import TargetDescription
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
        causes = _class_causes(targets, classes)
    else:
        allowed = "0 to 1"
        action = "Give targets between 0 and 1, and run the check again."
        causes = (
            Cause(
                code="targets_not_probabilities",
                sentence="Targets of a binary or multilabel task must lie between 0 and 1.",
                confidence=0.8,
            ),
            _padding(0.2),
        )
    return Finding(
        code="labels_out_of_range",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"{plural(targets.num_out_of_range, 'training label')} "
        f"{'lies' if targets.num_out_of_range == 1 else 'lie'} outside {allowed} "
        f"(first at sample {targets.first_out_of_range}; labels run from {number(targets.low)} "
        f"to {number(targets.high)}): no loss can be computed for them.",
        evidence={
            "num_out_of_range": targets.num_out_of_range,
            "first_out_of_range": targets.first_out_of_range,
            "low": targets.low,
            "high": targets.high,
            "num_classes": classes,
        },
        causes=causes,
        action=action,
        source=SOURCE,
    )


def _class_causes(targets: TargetDescription, classes: int) -> tuple[Cause, ...]:
    """What labels below 0, or from the number of classes on, may come from."""
    too_high = Cause(
        code="num_classes_wrong",
        sentence=f"num_classes is {classes} but the labels go up to {number(targets.high)}: "
        "labels that count from 1, or a class too few.",
        confidence=0.7,
    )
    if not targets.low < 0:
        return too_high, _padding(0.2)
    below = Cause(
        code="labels_shifted",
        sentence="One too many was taken off labels that were to count from 0.",
        confidence=0.3,
    )
    return (*([too_high] if targets.high >= classes else []), _padding(0.6), below)


def _padding(confidence: float) -> Cause:
    return Cause(
        code="padding_label",
        sentence="The value marks padding, or samples without a label; then give it as the task's "
        "ignore_index.",
        confidence=confidence,
    )
