"""Which settings to try, without looking at results: Sobol points, random ones, or a grid.

A point depends on the stream's seed and its own index alone: a sequence that is gone on
with later, or in pieces, is the same sequence.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from recipes.search.cube import to_params
from recipes.space import Categorical, ParameterValue, SearchSpace

MAX_DIMENSIONS = 21_201
"""Of SciPy's Sobol sequence (Joe & Kuo 2008). A space with more names is drawn at random."""

PROPOSERS = ("sobol", "random", "grid")


def propose(
    kind: str, space: SearchSpace, *, first: int, count: int, seed: int
) -> list[dict[str, ParameterValue]]:
    """Settings number ``first`` to ``first + count - 1`` of a stream.

    Args:
        kind: ``sobol`` (scrambled, Owen 1998), ``random`` or ``grid``. A grid ignores the
            seed and needs ``first=0``: its shape depends on how many points it has. Where they
            are too few for every combination of choices, Sobol's take their place.
        space: What varies; empty: every setting is the same one.
        first: The first one's index, from 0.
        count: How many.
        seed: The stream's.

    Raises:
        ValueError: There is no such kind.
    """
    dimensions = len(space.root)
    if dimensions == 0:
        return [{} for _ in range(count)]
    if kind == "grid":
        levelled = _grid(space, count)
        if levelled:
            return levelled
        kind = "sobol"
    if kind not in PROPOSERS:
        raise ValueError(f"kind: {kind!r} does not fit; choose one of {', '.join(PROPOSERS)}")
    if kind == "sobol" and dimensions <= MAX_DIMENSIONS:
        from scipy.stats import qmc  # as much to import as all else of the service

        sampler = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
        # Whole powers of two from the start: SciPy warns of any other count.
        points = sampler.random_base2(max(0, math.ceil(math.log2(max(first + count, 1)))))
        chosen = points[first : first + count]
    else:
        chosen = np.stack(
            [
                np.random.default_rng([seed, index]).random(dimensions)
                for index in range(first, first + count)
            ]
        )
    return [to_params(space, point) for point in chosen.tolist()]


def _grid(space: SearchSpace, count: int) -> list[dict[str, ParameterValue]]:
    """At most ``count`` points: equally many levels a number, every choice of a categorical.

    None at all where the choices alone make more than that.
    """
    choices = space.num_combinations()
    numbers = sum(not isinstance(each, Categorical) for each in space.root.values())
    levels = max(1, int(count ** (1 / len(space.root)) + 1e-9))
    while levels > 1 and choices * levels**numbers > count:
        levels -= 1
    if choices * levels**numbers > count:
        return []
    axes = []
    for distribution in space.root.values():
        num = levels
        if isinstance(distribution, Categorical):
            num = len(distribution.choices)
        axes.append([(at + 0.5) / num for at in range(num)])
    return [to_params(space, point) for point in itertools.product(*axes)]
