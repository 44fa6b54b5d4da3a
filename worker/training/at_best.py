"""The last look at the splits, whole, with the best epoch's weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from recipes.task import Task
from recipes.trial import TrialCause
from worker.training.failures import cause_of, describe_failure, has_lost_device
from worker.training.member import Evaluated
from worker.training.record import Record


def look_at_best(
    task: Task, model: nn.Module, splits: Sequence[Evaluated], record: Record, *, iteration: int
) -> None:
    """Evaluate a model on each split, for a member's record.

    A test split that cannot be evaluated (a label that is no class, say) takes nothing from a
    member whose training and validation went well: the record says why its value is missing.

    Args:
        task: Its loss and metrics count.
        model: With the best epoch's weights.
        splits: On which.
        record: The member's.
        iteration: Optimiser steps that led to these weights.
    """
    found = []
    for each in splits:
        try:
            found.append(each.evaluate(task, model, iteration=iteration))
        except Exception as error:
            is_machines = cause_of(error) is TrialCause.OUT_OF_MEMORY or has_lost_device(error)
            if each.split != "test" or is_machines:
                raise
            record.note = f"The test split could not be evaluated: {describe_failure(error)}"
    record.at_best = tuple(found)
