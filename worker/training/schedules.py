"""Learning rate schedules: a factor on the base rate as a pure function of the iteration.

Being pure, a schedule has no state to save and none to restore.
"""

from __future__ import annotations

import math
from collections.abc import Callable

STEP_CUTS = (0.5, 0.75)
"""Shares of the run at which ``step`` divides the rate by ten (He et al. 2015, section 4.2,
cut CIFAR-10 training at 32k and 48k of 64k iterations)."""
STEP_FACTOR = 0.1


def rate_factor(
    schedule: str, *, iteration: int, num_iterations: int, warmup: float = 0.0
) -> float:
    """The factor on the base learning rate at one iteration.

    The factor rises linearly over the warm-up, reaching 1 at its last iteration; the
    schedule then runs over what is left.

    Args:
        schedule: A key of ``SCHEDULES``.
        iteration: Optimiser steps already done, 0 to num_iterations - 1.
        num_iterations: Length of the run in optimiser steps.
        warmup: Below 1 a share of the run, from 1 on a number of iterations.
    """
    num_warmup = warmup_iterations(warmup, num_iterations)
    if iteration < num_warmup:
        return (iteration + 1) / num_warmup
    return SCHEDULES[schedule](iteration - num_warmup, num_iterations - num_warmup, num_warmup)


def warmup_iterations(warmup: float, num_iterations: int) -> int:
    """The length of the warm-up, at most the run's own."""
    return min(round(warmup * num_iterations if warmup < 1 else warmup), num_iterations)


def _constant(done: int, length: int, num_warmup: int) -> float:
    return 1.0


def _step(done: int, length: int, num_warmup: int) -> float:
    return float(STEP_FACTOR ** sum(done >= cut * length for cut in STEP_CUTS))


def _cosine(done: int, length: int, num_warmup: int) -> float:
    """From 1 to 0 along half a cosine (Loshchilov & Hutter 2016, one cycle)."""
    return 0.5 * (1 + math.cos(math.pi * done / length))


def _linear(done: int, length: int, num_warmup: int) -> float:
    return 1 - done / length


def _inverse_sqrt(done: int, length: int, num_warmup: int) -> float:
    """The inverse root of the iteration, 1 at the warm-up's end (Vaswani et al. 2017, 5.3)."""
    start = max(num_warmup, 1)
    return math.sqrt(start / (start + done))


SCHEDULES: dict[str, Callable[[int, int, int], float]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "linear": _linear,
    "inverse_sqrt": _inverse_sqrt,
}
"""(iterations since the warm-up, iterations after it, the warm-up's length) -> factor."""
