"""Which repeated setting a study stands by, round after round.

The highest of many means is high by luck too, the more so the fewer seeds it has. So a
round's best setting takes the place of the one before only when it is better by more than
one standard error of the difference, which is larger the fewer seeds either has; else the
earlier stays, which has fewer changes (the one-standard-error rule: Breiman, Friedman,
Olshen and Stone, Classification and Regression Trees, 1984, 3.4.3). To be *shown* better
takes two (``finalists.TELL_APART``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.description import TaskDescription
from recipes.search.finalists import (
    SCORE_DECIMALS,
    TELL_APART,
    Finalist,
    finalists,
    noise_between,
    pooled_sd,
)
from recipes.step import TrialResult
from recipes.trial import TrialPurpose

KEPT_ERRORS = 1.0
"""Standard errors of the difference that a later setting must be better by (Breiman et al.)."""


def gain_of(challenger: Finalist, champion: Finalist) -> float:
    """How much better one mean is than the other, whatever the metric's direction.

    Sums of the same numbers in another order are equal.
    """
    return round(challenger.score - champion.score, SCORE_DECIMALS)


def replaces(challenger: Finalist, champion: Finalist, seed_sd: float, *, metric: str) -> bool:
    """Whether the challenger is better by more than the difference's standard error.

    Args:
        challenger: A later round's best.
        champion: The setting it has to beat.
        seed_sd: Spread between seeds, pooled over all settings known by then.
        metric: Whose values they are.
    """
    if not math.isfinite(challenger.score):
        return False
    noise = noise_between(challenger, champion, seed_sd, metric=metric)
    return gain_of(challenger, champion) > noise * KEPT_ERRORS / TELL_APART


def repeated_settings(
    trials: Sequence[TrialResult], description: TaskDescription
) -> list[Finalist]:
    """The settings that these trials repeat with new seeds, the champion first."""
    found = finalists(trials, description, TrialPurpose.REPEAT)
    return standing(found, metric=description.metric)


def standing(settings: Sequence[Finalist], *, metric: str) -> list[Finalist]:
    """The settings with the champion first, then as they were ranked.

    Every round is judged by what was known at its end, as its effect was (``loop.effects``).

    Args:
        settings: Of any rounds, the best first (``finalists``).
        metric: Whose values they are.
    """
    champion: Finalist | None = None
    for number in sorted({each.round for each in settings}):
        known = [each for each in settings if each.round <= number]
        best = next(each for each in known if each.round == number)
        if champion is None or replaces(best, champion, pooled_sd(known), metric=metric):
            champion = best
    if champion is None:
        return []
    return [champion, *(each for each in settings if each is not champion)]
