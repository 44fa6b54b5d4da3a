"""Settings run again with new seeds: means, spread, and which cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.result import Best
from recipes.search.scoring import Scored, mean, mean_difference_error, score, sd
from recipes.space import ParameterValue
from recipes.step import TrialResult
from recipes.trial import TrialPurpose

TELL_APART = 2.0
"""Standard errors of a difference (two-sided 5 %; notes on diagnosis, row 48)."""

SD_FLOOR_SHARE = 0.25
"""Two seeds may agree by chance. The spread between seeds counts as at least this share of
the standard error from the validation samples."""

SCORE_DECIMALS = 12
"""Two sums of the same numbers in another order may differ by less: such means are equal, and
the setting that was there first stands before the other."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """One setting and its runs with new seeds, the trial that won the search left out: being
    chosen for its value makes that value too good (winner's curse).

    Attributes:
        label: The runs' common label: which trial of the search they repeat.
        runs: Those with a value, by number.
        num_planned: Runs it had, those without a value counted in.
        round: In which round.
    """

    label: str
    runs: tuple[Scored, ...]
    num_planned: int
    round: int

    @property
    def trial(self) -> int:
        """The first run's number, which stands for the setting."""
        return self.runs[0].number

    @property
    def params(self) -> Mapping[str, ParameterValue]:
        """The setting."""
        return self.runs[0].trial.params

    @property
    def values(self) -> list[float]:
        """One a seed."""
        return [run.value for run in self.runs]

    @property
    def value(self) -> float:
        """Their mean, on the metric's own scale."""
        return mean(self.values)

    @property
    def score(self) -> float:
        """The mean, higher always better. A seed without a value makes it the worst."""
        if len(self.runs) < self.num_planned:
            return -math.inf
        return mean([run.score for run in self.runs])


def finalists(
    trials: Sequence[TrialResult], description: TaskDescription, purpose: TrialPurpose
) -> list[Finalist]:
    """The settings with repeated runs, the best first; one all of whose runs failed is left out.

    Args:
        trials: Any; those of other purposes are passed over.
        description: Says which metric decides.
        purpose: ``repeat`` or ``final``.
    """
    groups: dict[tuple[int, str], list[TrialResult]] = {}
    for trial in trials:
        if trial.purpose is purpose:
            groups.setdefault((trial.round, trial.label), []).append(trial)
    found = []
    for (round_number, label), members in groups.items():
        scored = [score(member, description) for member in members]
        runs = tuple(each for each in scored if each is not None)
        if runs:
            found.append(Finalist(label, runs, len(members), round_number))
    return sorted(found, key=lambda each: (-round(each.score, SCORE_DECIMALS), each.trial))


def pooled_sd(settings: Sequence[Finalist]) -> float:
    """Standard deviation between seeds, pooled over settings; NaN when none has two seeds."""
    squares = [
        (sd(each.values) ** 2 * (len(each.runs) - 1), len(each.runs) - 1)
        for each in settings
        if len(each.runs) > 1
    ]
    degrees = sum(count for _, count in squares)
    return math.sqrt(sum(square for square, _ in squares) / degrees) if degrees else math.nan


def noise_between(a: Finalist, b: Finalist, seed_sd: float, *, metric: str) -> float:
    """The difference two settings must exceed to be told apart.

    2 sqrt(sd^2 (1/n_a + 1/n_b) + SE^2): sd between seeds, SE of the difference over the
    shared validation samples (notes on diagnosis, row 48). What differs between seeds is
    in the second a little too, which errs on the side of caution.
    """
    error = mean_difference_error(a.runs, b.runs, metric)
    spread = floored(seed_sd, a.runs[0].standard_error)
    return TELL_APART * math.sqrt(
        spread**2 * (1 / len(a.runs) + 1 / len(b.runs)) + (error if error == error else 0.0) ** 2
    )


def floored(seed_sd: float, standard_error: float) -> float:
    """A spread between seeds that is not taken for nothing because a few seeds agree."""
    known = 0.0 if math.isnan(seed_sd) else seed_sd
    error = 0.0 if math.isnan(standard_error) else standard_error
    return max(known, SD_FLOOR_SHARE * error)


def tied_with(best: Finalist, others: Sequence[Finalist], *, metric: str) -> tuple[Finalist, ...]:
    """Those that cannot be told apart from the best one."""
    seed_sd = pooled_sd([best, *others])
    return tuple(
        each
        for each in others
        if each is not best
        and math.isfinite(each.score)
        and best.score - each.score <= noise_between(best, each, seed_sd, metric=metric)
    )


def best_setting(
    winner: Finalist,
    others: Sequence[Finalist],
    description: TaskDescription,
    *,
    num_candidates: int,
) -> Best:
    """A finalist as the study's best.

    Args:
        winner: The best one.
        others: The finalists to tell it apart from.
        description: Says which metric decides.
        num_candidates: Settings it was chosen from.
    """
    spread = sd(winner.values)
    runs = winner.runs
    error = mean([run.standard_error for run in runs])
    total = math.sqrt(
        (0.0 if math.isnan(error) else error) ** 2
        + (0.0 if math.isnan(spread) else spread**2 / len(runs))
    )
    epochs = sorted(run.epoch for run in runs)
    return Best(
        trial=winner.trial,
        params=dict(winner.params),
        metric=description.metric,
        direction=description.direction,
        value=winner.value,
        standard_error=math.nan if math.isnan(error) and math.isnan(spread) else total,
        n=runs[0].n,
        num_candidates=num_candidates,
        num_seeds=len(runs),
        seed_sd=None if math.isnan(spread) else spread,
        epoch=epochs[len(epochs) // 2],
        epochs=max(run.epochs for run in runs),
        tied=tuple(each.trial for each in tied_with(winner, others, metric=description.metric)),
    )
