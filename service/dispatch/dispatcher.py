"""The seam between the conductor and whatever gets attempts run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Dispatcher(Protocol):
    """Places attempts. The database owns the truth; a dispatcher retries nothing itself.

    It is idempotent by attempt: the conductor names an attempt again as long as it waits,
    after a crash too. What becomes of an attempt is told by its worker, or by its lease.
    """

    def submit(self, attempts: Sequence[str]) -> None:
        """Have these queued attempts run, oldest first. Some may be under way already.

        Args:
            attempts: Their uids.
        """
        ...
