"""Which loads are measured, and how large each is."""

from __future__ import annotations

from typing import NamedTuple

CONNECTIONS = 8
"""As many workers' slots report at a time."""


class Plan(NamedTuple):
    """One load.

    Attributes:
        name: Its key in a cell.
        size: Points in a batch.
        connections: How many send at a time.
        count: Batches of each connection.
    """

    name: str
    size: int
    connections: int
    count: int

    @property
    def span(self) -> int:
        """Iterations that it writes, at most."""
        return self.size * self.count


def plans(share: float = 1.0) -> list[Plan]:
    """The loads of every server.

    Args:
        share: Of the batches, for a server that takes longer over each.
    """
    counts = {(1, 8): 150, (50, 8): 150, (500, 8): 40, (1, 1): 300, (50, 1): 300, (500, 1): 100}
    return [
        Plan(f"{size}x{connections}", size, connections, max(4, round(share * count)))
        for (size, connections), count in counts.items()
    ]


WARM_UP = Plan("warm-up", 50, CONNECTIONS, 10)
"""Not measured: the first batch of a curve makes the curve."""
RETRIES = Plan("retries", 50, CONNECTIONS, 50)
"""Each batch goes out four times; ``count`` are the distinct ones of two connections."""
