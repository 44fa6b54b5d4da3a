"""When a member ends before its last iteration, judged on its train losses one by one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from recipes.run import RunSpec
from recipes.trial import TrialCause

WINDOW = 5
"""Iterations of the running median, and in a row below ``stop_if_loss_below`` (RunSpec)."""


class StopRule:
    """Watches the train loss. Its whole state is the last few losses and a count.

    Args:
        losses: The last losses of a run that is resumed.
        num_below: Iterations in a row that were below, of a run that is resumed.
    """

    def __init__(self, run: RunSpec, *, losses: Sequence[float] = (), num_below: int = 0) -> None:
        self._run = run
        self._losses = deque(losses, maxlen=WINDOW)
        self._num_below = num_below

    @property
    def losses(self) -> tuple[float, ...]:
        """The last losses, at most WINDOW."""
        return tuple(self._losses)

    @property
    def num_below(self) -> int:
        """Iterations in a row with the loss below and every sample right."""
        return self._num_below

    def judge(self, loss: float, *, all_right: bool) -> TrialCause | None:
        """Why the member ends with this iteration; None: it goes on.

        Args:
            loss: The iteration's train loss.
            all_right: Whether every sample of its batch was right (True where a kind
                has no right and wrong).
        """
        run = self._run
        if run.stop_if_non_finite and not math.isfinite(loss):
            return TrialCause.NON_FINITE
        self._losses.append(loss)
        if self._is_above():
            return TrialCause.DIVERGED
        if run.stop_if_loss_below is not None:
            is_below = loss < run.stop_if_loss_below and all_right
            self._num_below = self._num_below + 1 if is_below else 0
            if self._num_below == WINDOW:
                return TrialCause.FINISHED
        return None

    def _is_above(self) -> bool:
        """Whether the running median is over the limit; not judged before it is full.

        NaNs, where they do not end a run by themselves, count as above.
        """
        limit = self._run.stop_if_loss_above
        if limit is None or len(self._losses) < WINDOW:
            return False
        ordered = sorted(math.inf if math.isnan(loss) else loss for loss in self._losses)
        return ordered[WINDOW // 2] > limit
