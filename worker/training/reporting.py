"""What a run tells while it goes, and what it is told."""

from __future__ import annotations

from typing import Protocol

from recipes.curve import CurveBlock
from recipes.outcome import MemberOutcome


class Reporter(Protocol):
    """The training loop's only way out. Calls come in order, from one thread."""

    def points(self, block: CurveBlock) -> None:
        """Curve points of one member."""
        ...

    def checkpoint(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        """A member's whole state after ``epoch`` epochs; everything reported so far counts."""
        ...

    def snapshot(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        """A member's best weights, those of ``epoch``. Before its outcome, which names them."""
        ...

    def outcome(self, outcome: MemberOutcome) -> None:
        """A member has ended, or waits; its checkpoint and snapshot were told before."""
        ...

    def stopping(self) -> bool:
        """Whether to end now, keeping what was reported."""
        ...

    def dropped(self, trial: int) -> bool:
        """Whether this member is no longer wanted."""
        ...
