"""Whether a split's samples have the form the task's kind asks for."""

from __future__ import annotations

import torch
from torch import Tensor

from recipes.task import Task
from worker.data.samples import Samples
from worker.describe.errors import method_line, task_error

FLOAT_KINDS = ("binary", "multilabel", "regression")


def check_pair(task: Task, samples: Samples, split: str, *, file: str | None) -> None:
    """Whether one split can be trained on. Values are measured elsewhere, not judged here.

    Args:
        task: The task; its kind says what targets are.
        samples: The split's samples.
        split: Its name, for messages.
        file: The task's file, for messages.

    Raises:
        TaskError: The split is empty or too small, or its targets have the wrong type or shape.
    """
    line = method_line(task, "data", file)
    if split == "train" and samples.num_samples == 1:
        raise task_error(
            'data("train") has 1 sample, and training needs 2',
            cure="return more samples",
            file=file,
            line=line,
        )
    if samples.num_samples == 0:
        raise task_error(
            f'data("{split}") is empty',
            cure="return at least one sample; a split that does not exist is returned as None",
            file=file,
            line=line,
        )
    inputs, targets = samples.batch(torch.zeros(1, dtype=torch.int64))
    problem = _target_problem(task, targets)
    if inputs.numel() == 0 or targets.numel() == 0:
        problem = "its samples hold no values", "give inputs and targets a size above 0"
    if problem:
        what, cure = problem
        raise task_error(f'data("{split}"): {what}', cure=cure, file=file, line=line)


def check_same_form(train: Samples, other: Samples, split: str, *, file: str | None) -> None:
    """Whether a split's samples have the shapes and types of the training samples.

    Raises:
        TaskError: They have not.
    """
    row = torch.zeros(1, dtype=torch.int64)
    for name, ours, theirs in zip(
        ("inputs", "targets"), train.batch(row), other.batch(row), strict=True
    ):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            raise task_error(
                f"the {name} of {split} are {_form(theirs)} a sample,"
                f" those of train {_form(ours)}",
                cure="prepare every split in the same way",
                file=file,
            )


def _target_problem(task: Task, targets: Tensor) -> tuple[str, str] | None:
    is_float = targets.is_floating_point()
    if task.kind == "classification" and is_float:
        return (
            f"targets of a classification task are {_form(targets)}, not whole numbers",
            "give class numbers 0..C-1: targets.long(), or targets.argmax(1) for one-hot rows",
        )
    if task.kind in FLOAT_KINDS and not is_float:
        return (
            f"targets of a {task.kind} task are whole numbers, not floats",
            "give them as floats: targets.float()",
        )
    if task.kind == "multilabel":
        if targets.ndim != 2:
            return (
                f"targets of a multilabel task are {_form(targets)} a sample",
                "give a row of 0s and 1s for every sample: shape (N, C)",
            )
        if task.num_classes is not None and targets.shape[1] != task.num_classes:
            return (
                f"targets have {targets.shape[1]} columns and `num_classes` is {task.num_classes}",
                "make the two agree",
            )
    return None


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape[1:])}"
