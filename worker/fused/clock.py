"""Time that members spend together, shared out among them."""

from __future__ import annotations

import time


class SharedClock:
    """Seconds of one member: while K of them train, its own clock goes K times as slowly.

    So what all members say they took adds up to the time that the slot was busy.

    Args:
        num_members: Who begin.
    """

    def __init__(self, num_members: int) -> None:
        self._num_members = num_members
        self._before = 0.0
        self._since = time.monotonic()

    def __call__(self) -> float:
        """Seconds so far."""
        return self._before + (time.monotonic() - self._since) / max(1, self._num_members)

    def leave(self) -> None:
        """A member has ended."""
        self._before, self._since = self(), time.monotonic()
        self._num_members -= 1
