"""What the loss of an untrained model should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected initial loss.

    Attributes:
        value: In the loss's own unit (nats for cross-entropies).
        formula: Where the value comes from, in words.
        relative: Deviations count as a share of the value (squared errors), not in nats.
        certain: The formula is known to hold: the loss is the kind's own, or the task says so.
    """

    value: float
    formula: str
    relative: bool
    certain: bool


def expected_initial_loss(description: TaskDescription) -> Expectation | None:
    """What the task's loss should be before training; None when nothing is known.

    Cross-entropy over C classes: ln C (CS231n notes, "Look for correct loss at chance
    performance"). Binary and multilabel cross-entropy: ln 2. Squared error at an output
    of zero: the targets' mean square.
    """
    if description.expected_initial_loss is not None:
        value = description.expected_initial_loss
        return Expectation(value, "the task's expected_initial_loss", False, True)
    certain = not description.own_loss
    if description.kind == "classification" and description.num_classes:
        classes = description.num_classes
        scored_as_cross_entropy = (
            description.outputs is not None and description.outputs.loss_is_cross_entropy
        )
        return Expectation(
            math.log(classes), f"ln {classes}", False, certain or scored_as_cross_entropy
        )
    if description.kind in ("binary", "multilabel"):
        return Expectation(math.log(2), "ln 2", False, certain)
    if description.kind == "regression":
        mean_square = description.targets.variance + description.targets.mean**2
        return Expectation(mean_square, "the targets' mean square", True, certain)
    return None


def class_shares(description: TaskDescription) -> Sequence[float]:
    """Each class's share of the training samples; empty where there are no classes."""
    counts = description.targets.class_counts
    if counts and sum(counts):
        return [count / sum(counts) for count in counts]
    mean = description.targets.mean
    if description.kind == "binary" and 0 <= mean <= 1:
        return [1 - mean, mean]
    return []


def lone_class(description: TaskDescription) -> int | None:
    """The class that all training samples are of; None where there are several, or none."""
    shares = class_shares(description)
    present = [at for at, share in enumerate(shares) if share > 0]
    return present[0] if len(present) == 1 and len(shares) > 1 else None


def lone_target(description: TaskDescription) -> float | None:
    """The value that all training targets of a regression have; None where they differ, or where
    only the first ones were looked at.

    By their range: the variance of equal numbers may be off 0 by rounding.
    """
    targets = description.targets
    has_seen_all = description.inputs.num_looked_at >= description.split("train").num_samples
    is_lone = (
        description.kind == "regression"
        and targets.low == targets.high  # false for NaN
        and has_seen_all
    )
    return targets.low if is_lone else None


def are_targets_constant(description: TaskDescription) -> bool:
    """Whether one answer is right for every training sample, so that inputs cannot help."""
    return lone_class(description) is not None or lone_target(description) is not None


def baseline_loss(description: TaskDescription) -> float | None:
    """The loss of the best constant prediction: what a model that looks at inputs must beat.

    The entropy of the labels for cross-entropies, the targets' variance for squared
    errors; None where the loss is the task's own.
    """
    if description.own_loss and not (
        description.outputs is not None and description.outputs.loss_is_cross_entropy
    ):
        return None
    if description.kind == "regression":
        return description.targets.variance
    return description.targets.entropy
