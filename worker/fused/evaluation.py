"""One pass over a fixed sample of a split in eval mode, for K members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from recipes.outcome import Evaluation
from recipes.task import Task
from worker.fused.stack import Stack
from worker.training.evaluation import BATCH_SIZE, evaluate_members
from worker.training.member import Evaluated
from worker.training.precision import in_precision

GPU_BATCH_SIZE = 1024
"""Samples in one forward of several models on a GPU, where a small one leaves it idle."""
ROWS_AT_ONCE = 8
"""Models in it: with the samples it says what the activations of an evaluation may take."""


@torch.no_grad()
def evaluate_rows(
    task: Task,
    stack: Stack,
    rows: Sequence[int],
    evaluated: Evaluated,
    *,
    iteration: int,
    is_mapped: bool | None = None,
) -> list[Evaluation]:
    """Each row's evaluation after ``iteration`` optimiser steps.

    The samples are fetched and scored for all rows at once. On a CPU the forwards are those of
    one model after the other: of a few hundred samples one keeps a core busy, and several would
    not fit in its cache. On a GPU that would be many small launches: there they are mapped
    over the rows, and one after the other where that fails.

    Args:
        task: Theirs.
        stack: Holds the rows.
        rows: Which.
        evaluated: The split's samples.
        iteration: Goes into the evaluations.
        is_mapped: Whether forwards are mapped; None: as the device has it.
    """
    stack.skeleton.eval()
    # A search's trials begin with the same weights: what holds of one holds of all.
    are_equal = iteration == 0 and stack.are_equal(rows)
    computed = list(rows[:1] if are_equal else rows)
    device = next(iter(stack.tensors().values())).device
    if is_mapped is None:
        is_mapped = device.type == "cuda"

    def outputs_of(inputs: Tensor) -> Tensor:
        nonlocal is_mapped
        if is_mapped:
            try:
                return _mapped(task, stack, computed, inputs)
            except Exception:
                # Eval mode was not looked at when they were admitted, and memory may run out:
                # what is wrong with the model itself is raised again by what follows.
                is_mapped = False
        return _one_after_another(task, stack, computed, inputs)

    evaluations = evaluate_members(
        task,
        outputs_of,
        evaluated.source,
        evaluated.indices,
        split=evaluated.split,
        iteration=iteration,
        batch_size=GPU_BATCH_SIZE if is_mapped else BATCH_SIZE,
    )
    return evaluations * len(rows) if are_equal else evaluations


def _one_after_another(task: Task, stack: Stack, rows: Sequence[int], inputs: Tensor) -> Tensor:
    outputs = []
    for at, row in enumerate(rows, start=1):
        # A forward may write into what it is given.
        own = inputs.clone() if at < len(rows) else inputs
        # Copies begin at aligned places, as a model's own tensors do; rows of a stack may not.
        tensors = {name: tensor.clone() for name, tensor in stack.row(row).items()}
        outputs.append(in_precision(task, partial(stack.run, tensors), own))
    return torch.stack(outputs)


def _mapped(task: Task, stack: Stack, rows: Sequence[int], inputs: Tensor) -> Tensor:
    def run(tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        return stack.run(tensors, inputs)

    outputs = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chosen = rows[start : start + ROWS_AT_ONCE]
        at = torch.tensor(chosen, device=inputs.device)
        tensors = {name: each.index_select(0, at) for name, each in stack.tensors().items()}
        mapped = torch.vmap(run, in_dims=(0, None), randomness="error")
        outputs.append(in_precision(task, partial(mapped, tensors), inputs.clone()))
    return torch.cat(outputs)
