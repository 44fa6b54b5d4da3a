"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

LONGEST_RETRY_AFTER_SECONDS = 60.0
"""A service may ask for a pause; a longer one than this is not believed."""


@dataclass(slots=True)
class Backoff:
    """Pauses that double up to a limit, with jitter so that workers do not come in step.

    Attributes:
        first_seconds: The first pause, before jitter.
        most_seconds: No pause is longer, unless the service asked for it.
        chance: Where the jitter comes from: every pause is 50 to 100 % of its nominal length.
    """

    first_seconds: float = 0.1
    most_seconds: float = 3.0
    chance: random.Random = field(default_factory=random.Random)
    _num_failures: int = 0

    def next_seconds(self, retry_after_seconds: float | None = None) -> float:
        """The next pause, never below what the service asked for."""
        exponent = min(self._num_failures, 30)  # 2^30 is beyond every limit, 2^1024 overflows
        self._num_failures += 1
        nominal: float = min(self.first_seconds * 2**exponent, self.most_seconds)
        pause = nominal * (0.5 + 0.5 * self.chance.random())
        asked = min(retry_after_seconds or 0.0, LONGEST_RETRY_AFTER_SECONDS)
        return max(pause, asked)

    def reset(self) -> None:
        """Something worked: start again with the first pause."""
        self._num_failures = 0
