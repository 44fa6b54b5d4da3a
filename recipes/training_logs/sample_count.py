"""How many samples an accuracy was measured on, from the steps it moves in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MOST_SAMPLES = 200_000
"""Largest n that is tried."""

CHANCE = 1e-3
"""Most that the smallest n may be expected to fit by chance, over all n tried up to it (ours)."""

FLOAT32_ERROR = 2.0**-22
"""Relative error of a share that was computed in float32 and averaged."""

MIN_VALUES = 4
"""Distinct values from which a common step means something (ours)."""


def infer_sample_count(shares: Sequence[float], *, half_width: float) -> int | None:
    """The smallest n of which every share is a multiple of 1/n, if that is no chance.

    A random share lies within ``half_width`` of a multiple of 1/n with probability 2 n
    ``half_width``; over m distinct shares and all n up to the answer that adds up to the
    expected number of wrong answers, which must stay below ``CHANCE``. The true n may be a
    multiple (notes on diagnosis, section 3).

    Args:
        shares: Accuracies, 0 to 1.
        half_width: Half the step of their last digit.

    Returns:
        None where no n fits or the digits do not decide.
    """
    values = np.unique(np.asarray([s for s in shares if 0 < s < 1], dtype=np.float64))
    if len(values) < MIN_VALUES:
        return None
    width = max(half_width, FLOAT32_ERROR)
    highest = min(MOST_SAMPLES, int(0.5 / width))
    expected = 0.0
    for low in range(1, highest + 1, 4096):
        counts = np.arange(low, min(low + 4096, highest + 1), dtype=np.float64)
        fits = np.ones(len(counts), dtype=bool)
        for value in values:
            scaled = counts * value
            fits &= np.abs(scaled - np.round(scaled)) <= counts * width * (1 + 1e-6) + 1e-9
            if not fits.any():
                break
        chances = np.minimum(1.0, 2 * counts * width) ** len(values)
        found = np.flatnonzero(fits)
        end = int(found[0]) + 1 if len(found) else len(counts)
        expected += float(chances[:end].sum())
        if expected > CHANCE:
            return None
        if len(found):
            return int(counts[found[0]])
    return None


def half_step(values: Sequence[float]) -> float:
    """Half the step of the last decimal that numbers are given to."""
    decimals = 0
    for value in values:
        if not math.isfinite(value):
            continue
        mantissa, _, exponent = repr(float(value)).partition("e")
        places = len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0)
        decimals = max(decimals, places)
    return 0.5 * 10.0 ** -min(decimals, 17)
