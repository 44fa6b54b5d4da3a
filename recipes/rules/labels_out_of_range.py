"""Labels that no output of the model stands for."""

from __future__ import annotations

from recipes.description import SplitDescription, TargetDescription, TaskDescription
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, plural

SOURCE = "static check 0 (method.md, step 0); UMLAUT checks the same"


@rule("labels_out_of_range", Precedence.DATA)
def labels_out_of_range(evidence: InitialLossEvidence) -> Finding | None:
    """Any training label outside 0..C-1 (the ignore index aside)."""
    description, targets = evidence.description, evidence.description.targets
    if not targets.num_out_of_range:
        return None
    classes, allowed = description.num_classes, _allowed(description)
    if description.kind == "classification" and classes:
        action = "Map the labels to 0..C-1, or correct num_classes, and run the check again."
        if targets.low == 0 and targets.high >= classes:  # else they count from 1
            action = (
                f"Set num_classes = {int(targets.high) + 1} if there are so many classes, else"
                f" map the labels to {allowed}; then run the check again."
            )
        causes = _class_causes(targets, classes)
    else:
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
        sentence=f"{_outside(targets.num_out_of_range, 'training', allowed)} "
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


@rule("labels_out_of_range", Precedence.DATA)
def labels_out_of_range_elsewhere(evidence: InitialLossEvidence) -> Finding | None:
    """Any validation or test label outside 0..C-1, where no training label is."""
    description = evidence.description
    bad = [each for each in description.splits if each.num_out_of_range]
    if description.targets.num_out_of_range or not bad:
        return None
    return _of_another_split(description, bad[0])


def _of_another_split(description: TaskDescription, split: SplitDescription) -> Finding:
    allowed, name = _allowed(description), split.adjective
    return Finding(
        code="labels_out_of_range",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"{_outside(split.num_out_of_range, name, allowed)}, while all training labels "
        "that were looked at are in range: no loss can be computed for them.",
        evidence={
            "split": split.name,
            "num_out_of_range": split.num_out_of_range,
            "num_classes": description.num_classes,
        },
        causes=(
            _padding(0.6),
            Cause(
                code="labels_per_split",
                sentence=f"The {name} labels are not mapped as the training labels are.",
                confidence=0.3,
            ),
        ),
        action=f"In data(), map the {name} labels to {allowed} as the training labels are, and "
        "return None for a split whose labels are not known; then run the check again.",
        source=SOURCE,
    )


def _allowed(description: TaskDescription) -> str:
    classes = description.num_classes
    return f"0 to {classes - 1}" if description.kind == "classification" and classes else "0 to 1"


def _outside(count: int, name: str, allowed: str) -> str:
    return f"{plural(count, f'{name} label')} {'lies' if count == 1 else 'lie'} outside {allowed}"


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
