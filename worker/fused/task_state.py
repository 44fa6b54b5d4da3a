"""What a task keeps between calls, and whether that follows from who was made last.

``loss(output, target)`` is given no model and no setting. A task that wants them keeps them
when its ``model`` is called; trials that train together would then all go by the last one's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from recipes.task import Task
from worker.fused.refusal import NotFusable

DEPTH = 3
LARGEST = 100
"""How far into an attribute is looked, and into containers of how many. Data are larger."""
PLAIN_VALUES = (bool, int, float, complex, str, bytes, type(None))

Kept = Mapping[str, Hashable]
"""By attribute; equal where it holds the same."""


def kept_by(task: Task) -> Kept:
    """What a task's attributes hold now: plain values, containers of them, identities."""
    return {name: _kept(value, DEPTH) for name, value in vars(task).items()}


def changed(before: Kept, after: Kept) -> str | None:
    """The first attribute that holds something else; None where none does."""
    names = [*before, *(name for name in after if name not in before)]
    return next((name for name in names if before.get(name) != after.get(name)), None)


@contextmanager
def unchanged(task: Task) -> Iterator[None]:
    """Put a task's attributes back, whatever happens. Raises NotFusable where one changed."""
    own, before = dict(vars(task)), kept_by(task)
    try:
        yield
        name = changed(before, kept_by(task))
        if name is not None:
            raise NotFusable(f"the task's {name} changes while a trial trains")
    finally:
        vars(task).clear()
        vars(task).update(own)


def _kept(value: Any, depth: int) -> Hashable:
    if type(value) in PLAIN_VALUES:
        return type(value).__name__, repr(value)
    if isinstance(value, Tensor):
        return id(value), 0 if value.is_inference() else value._version
    if depth and isinstance(value, (dict, list, tuple)) and len(value) <= LARGEST:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return tuple((repr(key), _kept(each, depth - 1)) for key, each in items)
    return id(value)
