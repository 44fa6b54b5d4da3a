"""How long to go on trying while the service is away, and the pauses in between."""

from __future__ import annotations

import random
import time

from service.client.errors import ClientError, Refused

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
"""The pause doubles from the one to the other, so that an outage ends for everybody without a
stampede; each is shortened by up to half at random, for the same reason."""


class Patience:
    """Counts from the first failed try on; ``met`` begins anew.

    Args:
        seconds: For how long trying again makes sense; 0: one try alone.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.met()

    def met(self) -> None:
        """The service answered."""
        self._pause = FIRST_PAUSE_SECONDS
        self._ends: float | None = None

    def wait(self, error: ClientError) -> None:
        """Sleep until the next try; raises ``error`` when it would come too late.

        Args:
            error: Of the try that failed. Its ``retry_after_seconds`` is kept to.
        """
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + self._seconds
        asked = error.retry_after_seconds if isinstance(error, Refused) else None
        pause = self._pause * random.uniform(0.5, 1.0) if asked is None else asked
        if now + pause > self._ends:
            raise error
        time.sleep(pause)
        self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
