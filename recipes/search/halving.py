"""Synchronous successive halving: where to pause, and who goes on.

Jamieson and Talwalkar (2016), with a rate of 2: learning-rate decays make curves cross
late, so half is kept at a rung rather than a quarter (notes on diagnosis, row 49). A rung
is a plan of its own: nobody is promoted before all have arrived, so the result does not
depend on which worker was faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.search.scoring import Scored

RATE = 2
"""One in this many goes on."""

MAX_RUNGS = 3


def rungs(epochs: int, *, early_discard: bool = True) -> tuple[int, ...]:
    """The epochs at which trials of ``epochs`` epochs pause, the last one included.

    5 gives (1, 2, 5); 20 gives (5, 10, 20).
    """
    found = [epochs]
    while early_discard and len(found) < MAX_RUNGS and found[0] // RATE >= 1:
        found.insert(0, found[0] // RATE)
    return tuple(found)


def epochs_per_trial(epochs: int, *, early_discard: bool = True) -> float:
    """Epochs a trial costs on average, when a share of 1 / RATE goes on at each rung."""
    total, before, share = 0.0, 0, 1.0
    for rung in rungs(epochs, early_discard=early_discard):
        total += share * (rung - before)
        before, share = rung, share / RATE
    return total


def promote(ranked: Sequence[Scored], *, keep: Sequence[int] = ()) -> tuple[int, ...]:
    """The numbers of those that go on: the better half, and whoever must be kept.

    Args:
        ranked: Those that arrived with a value, the best first.
        keep: Numbers that go on however they stand (the incumbent).
    """
    count = math.ceil(len(ranked) / RATE)
    chosen = [each.number for each in ranked[:count]]
    chosen += [each.number for each in ranked[count:] if each.number in keep]
    return tuple(chosen)
