"""Which hyperparameters matter. Below twenty trials: unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from recipes.search.cube import to_unit
from recipes.search.tpe import Observation, importances
from recipes.space import Categorical, SearchSpace
from recipes.value import Number, Value

FEWEST_TRIALS = 20
"""Finished trials below which nothing is said (notes on diagnosis, row 47)."""

LEAST_SHARE = 0.05
LEAST_P_VALUE = 0.2
"""Insensitive: importance under the share and a rank correlation with a p above this
(notes on diagnosis, row 47)."""


LATE_ACTING = frozenset({"weight_decay", "label_smoothing"})
"""Regularisation shows in long runs. After an epoch or two its silence says nothing."""

LONG_ENOUGH = 10
"""Epochs from which on it does (step 5 has 10 to 20; method.md)."""


class Sensitivity(StrEnum):
    """What a hyperparameter does to the metric, within the range searched."""

    MATTERS = "matters"
    INSENSITIVE = "insensitive"
    UNKNOWN = "unknown"


class Relevance(Value):
    """How much one hyperparameter matters.

    Attributes:
        share: PED-ANOVA's; the shares of all names sum to 1. NaN when unknown.
        p_value: Of a rank correlation with the score (for a categorical, Kruskal and
            Wallis' test between its choices). NaN when unknown.
    """

    name: str
    sensitivity: Sensitivity
    share: Number
    p_value: Number
    num_trials: int


def relevance(
    space: SearchSpace, observations: Sequence[Observation], *, epochs: int
) -> dict[str, Relevance]:
    """What every name of a space matters, from trials of the same length.

    Args:
        space: What was searched.
        observations: Scores after the same number of epochs; None counts as the worst.
        epochs: That number. Regularisation that does not show after few is unknown.
    """
    count = len(observations)
    if count < FEWEST_TRIALS:
        return {
            name: Relevance(
                name=name,
                sensitivity=Sensitivity.UNKNOWN,
                share=math.nan,
                p_value=math.nan,
                num_trials=count,
            )
            for name in space.root
        }
    shares = importances(space, observations)
    found = {}
    for name in space.root:
        p_value = _p_value(space, name, observations)
        sensitivity = Sensitivity.MATTERS
        if shares[name] < LEAST_SHARE and p_value > LEAST_P_VALUE:
            is_early = name in LATE_ACTING and epochs < LONG_ENOUGH
            sensitivity = Sensitivity.UNKNOWN if is_early else Sensitivity.INSENSITIVE
        found[name] = Relevance(
            name=name,
            sensitivity=sensitivity,
            share=shares[name],
            p_value=p_value,
            num_trials=count,
        )
    return found


def _p_value(space: SearchSpace, name: str, observations: Sequence[Observation]) -> float:
    """Of no monotone relation (Spearman), or of no difference between choices."""
    from scipy.stats import kruskal, spearmanr  # half a second of imports

    distribution = space[name]
    worst = min((each.score for each in observations if each.score is not None), default=0.0)
    scores = [worst if each.score is None else each.score for each in observations]
    if len(set(scores)) < 2:
        return 1.0
    if isinstance(distribution, Categorical):
        groups = [
            [
                s
                for s, each in zip(scores, observations, strict=True)
                if each.params[name] == choice
            ]
            for choice in distribution.choices
        ]
        groups = [group for group in groups if group]
        return float(kruskal(*groups).pvalue) if len(groups) > 1 else 1.0
    units = [to_unit(distribution, each.params[name]) for each in observations]
    return float(spearmanr(units, scores).pvalue) if len(set(units)) > 1 else 1.0
