"""Which metric decides, and in which direction."""

from __future__ import annotations

from typing import Literal

from recipes.task import Kind, Task

Direction = Literal["maximize", "minimize"]
OBJECTIVES: dict[Kind, tuple[str, Direction]] = {
    "classification": ("accuracy", "maximize"),
    "binary": ("accuracy", "maximize"),
    "multilabel": ("accuracy", "maximize"),
    "regression": ("r2", "maximize"),
    "custom": ("loss", "minimize"),
}
"""The metric that decides where a task names none (``worker/evaluation.py`` measures it)."""


def objective(task: Task) -> tuple[str, Direction]:
    """The task's metric and direction; its kind's own when it names none."""
    own: tuple[str, Direction] | None = getattr(task, "objective", None)
    return OBJECTIVES[task.kind] if own is None else (own[0], own[1])
