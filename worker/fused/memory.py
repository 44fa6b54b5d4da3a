"""How much memory K members take while they train, known before they are made."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that are made within and still held.

    Args:
        device: Which tensors count; None: all.

    Attributes:
        peak: The most at one time, since ``restart``.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._held = 0
        self._kind = None if device is None else device.type
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._hold(leaf.untyped_storage())
        return result

    def restart(self) -> int:
        """The peak so far; from now on it is that of what comes."""
        peak, self.peak = self.peak, self._held
        return peak

    def _hold(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen or self._kind not in (None, storage.device.type):
            return
        size = storage.nbytes()
        self._seen.add(key)
        self._held += size
        self.peak = max(self.peak, self._held)
        weakref.finalize(storage, self._let_go, key, size)

    def _let_go(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._held -= size


FEW, MORE = 2, 4
"""Members whose peaks are measured: a line through them tells of more."""


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """Straight lines over the number of members, of which the highest counts.

    Data and batches are the members' in common. One line for each part of a training: that
    which is higher for few members need not be so for many.

    Attributes:
        lines: (bytes however many there are, bytes of every member).
    """

    lines: tuple[tuple[float, float], ...]

    @classmethod
    def measured(
        cls, peaks_of: Callable[[int], Sequence[int]], *, few: int = FEW, more: int = MORE
    ) -> PeakMemory:
        """Through two numbers of members whose peaks are measured.

        Args:
            peaks_of: The peak of each part of a training with so many members, in bytes.
            few: One number.
            more: The other one.
        """
        lines = []
        for low, high in zip(peaks_of(few), peaks_of(more), strict=True):
            each = max(0.0, (high - low) / (more - few))
            lines.append((max(0.0, low - few * each), each))
        return cls(tuple(lines))

    def of(self, num_members: int) -> float:
        """Bytes at the peak of their training."""
        return max(shared + num_members * each for shared, each in self.lines)

    def most_within(self, num_bytes: float) -> float:
        """How many members take at most so much."""
        return min(
            math.inf if each == 0 and shared <= num_bytes else (num_bytes - shared) / (each or 1)
            for shared, each in self.lines
        )
