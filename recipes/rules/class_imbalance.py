"""Classes of very different sizes."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.description import TaskDescription
from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.expectation import class_shares, lone_class, lone_target
from recipes.finding import Cause, Finding, Severity
from recipes.rules.constant_prediction import constant_prediction
from recipes.rules.curve_lr_too_low import lr_too_low_on_curve
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, plural

IMBALANCE = 0.1
"""Smallest class over the largest (row 38; SageMaker Debugger's ClassImbalance has 1 : 10)."""

LEAST_EPOCHS = 3
"""Epochs before which no better than the largest class's share may be want of time (row 38)."""

SOURCE = "SageMaker Debugger's ClassImbalance; Deepchecks; notes on diagnosis, row 38"

ACTION = (
    "Set the last bias to the log of the classes' shares, judge by a balanced metric (return it "
    "from metrics() and name it in objective), and weigh the loss or the sampling. Cheapest "
    "experiment: the same run with the loss weighted by one over the classes' shares."
)

EMPTY_CLASS = (
    "Look first whether labels are mapped as you mean, and num_classes is right: a class without "
    "samples cannot be learned. Then judge by a balanced metric (return it from metrics() and "
    "name it in objective), and weigh the loss or the sampling of the classes there are."
)

CAUSE = Cause(
    code="rare_classes",
    sentence="Some classes are rare where the data come from.",
    confidence=0.7,
)


@rule("class_imbalance", Precedence.DATA)
def class_imbalance(evidence: InitialLossEvidence) -> Finding | None:
    """The smallest class of the training data has less than a tenth of the largest one's.

    A warning where accuracy decides: there a rare class does not count. Silent where labels
    lie out of range: what was counted are then the wrong classes.
    """
    shares = class_shares(evidence.description)
    if evidence.description.targets.num_out_of_range or not is_imbalanced(shares):
        return None
    only = lone_class(evidence.description)
    if only is not None:
        return _one_class(evidence.description, only)
    least, most = min(shares), max(shares)
    metric = evidence.description.metric
    misleads = metric == "accuracy"
    consequence = (
        f"a model that always answers class {_at(shares, most)} is right in {percent(most)} of "
        "all cases, and accuracy hardly sees the rare ones"
        if misleads
        else f"{metric} decides; look whether it sees the rare ones"
    )
    return Finding(
        code="class_imbalance",
        severity=Severity.WARNING if misleads else Severity.INFO,
        confidence=0.9,
        sentence=f"The classes are unbalanced: class {_at(shares, least)} has {percent(least)} of "
        f"the training samples, class {_at(shares, most)} {percent(most)} (under one tenth of the "
        f"largest counts): {consequence}.",
        evidence={
            "smallest_share": least,
            "largest_share": most,
            "ratio": least / most,
            "num_empty_classes": sum(share == 0 for share in shares),
            "threshold": IMBALANCE,
        },
        causes=(
            CAUSE,
            Cause(
                code="wrong_classes",
                sentence="num_classes is too large, or labels were mapped wrongly.",
                confidence=0.6 if least == 0 else 0.1,
            ),
        ),
        action=EMPTY_CLASS if least == 0 else ACTION,
        source=SOURCE,
    )


def _one_class(description: TaskDescription, only: int) -> Finding:
    """The finding where there is nothing to tell apart."""
    samples = description.split("train").num_samples
    return Finding(
        code="class_imbalance",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"There is only one class: of {plural(samples, 'training sample')} all are of "
        f"class {only}. Always answering {only} is right every time, so nothing can be learned.",
        evidence={"class": only, "num_train": samples, "largest_share": 1.0},
        causes=(
            Cause(
                code="wrong_classes",
                sentence="Labels were mapped wrongly, or read from the wrong column or folder.",
                confidence=0.7,
            ),
            Cause(
                code="sorted_split",
                sentence="The samples lie sorted by class, and the split cuts off the others.",
                confidence=0.4,
            ),
        ),
        action="Count the labels in data('train') before and after each step of their "
        "preparation; shuffle before splitting.",
        source=SOURCE,
    )


@rule("class_imbalance", Precedence.DATA)
def targets_of_one_value(evidence: InitialLossEvidence) -> Finding | None:
    """All targets of a regression are one and the same number, as if it had only one class.

    A loss of the task's own need not look at its targets: then only where R² decides, which
    compares with their variance.
    """
    description = evidence.description
    only = lone_target(description)
    if only is None or (description.own_loss and description.metric != "r2"):
        return None
    samples = description.split("train").num_samples
    return Finding(
        code="class_imbalance",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"All targets are the same: those of {plural(samples, 'training sample')} are "
        f"{number(only)}. Always answering {number(only)} is right every time, so nothing can be "
        "learned.",
        evidence={"target": only, "num_train": samples},
        causes=(
            Cause(
                code="wrong_targets",
                sentence="The targets were read from the wrong column, or rounded, clipped or "
                "multiplied away.",
                confidence=0.8,
            ),
            Cause(
                code="sorted_split",
                sentence="The samples lie sorted by target, and the split cuts off the others.",
                confidence=0.3,
            ),
        ),
        action="Print a few targets in data('train') before and after each step of their "
        "preparation; shuffle before splitting.",
        source=SOURCE,
    )


@rule("class_imbalance", Precedence.NO_LEARNING)
def majority_alone(evidence: CurveEvidence) -> Finding | None:
    """With unbalanced classes, accuracy ends no higher than the largest class's share.

    Silent where the prediction is constant to the sample, or the rate too low: other rules.
    """
    shares = class_shares(evidence.description)
    if not is_imbalanced(shares) or evidence.metric.name != "accuracy":
        return None
    val = evidence.val
    if len(val) < LEAST_EPOCHS:
        return None
    most = max(shares)
    reach = most + SIGNIFICANT_ERRORS * val.end_error
    if not val.end <= reach:  # false for NaN
        return None
    if constant_prediction(evidence) is not None or lr_too_low_on_curve(evidence) is not None:
        return None
    return Finding(
        code="class_imbalance",
        severity=Severity.WARNING,
        confidence=0.7,
        sentence=f"Validation accuracy ends at {evidence.metric.text(val.end, val.end_error)}, no "
        f"better than the {percent(most)} that always answering class {_at(shares, most)} would "
        "get on classes as unbalanced as these: the rare ones are not learned.",
        evidence={
            "val": val.end,
            "standard_error": val.end_error,
            "largest_share": most,
            "ratio": min(shares) / most,
            "threshold": reach,
        },
        causes=(
            Cause(
                code="rare_classes",
                sentence="The loss is an average, and the rare classes hardly count in it.",
                confidence=0.7,
            ),
            Cause(
                code="nothing_to_learn",
                sentence="The inputs say nothing of the class.",
                confidence=0.3,
            ),
        ),
        action=ACTION,
        source=SOURCE,
    )


def is_imbalanced(shares: Sequence[float]) -> bool:
    """Whether the smallest class has less than a tenth of the largest one's samples."""
    return len(shares) > 1 and min(shares) < IMBALANCE * max(shares)


def _at(shares: Sequence[float], share: float) -> int:
    return list(shares).index(share)
