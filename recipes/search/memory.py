"""What later steps need to know of a search that has ended, however many trials it had.

They look back at its best trial, at the best of those that trained longest, at the incumbent
and at whatever was repeated; of all the others only at sums. So a step costs what its own
trials cost, not what the study's do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recipes.description import TaskDescription
from recipes.search.allowance import seconds_alone
from recipes.search.incumbent import is_incumbent
from recipes.search.scoring import epochs_done, ranked
from recipes.step import LeftOut, TrialResult
from recipes.trial import TrialPurpose
from recipes.value import Number, Value


class SearchMemory(Value):
    """A step run's trials as later steps remember them.

    Attributes:
        metric: By which the best were told, and ``direction``.
        kept: Numbers of the trials that are read in full; ``num_valued`` and all below is of
            the others, as in :class:`recipes.step.LeftOut`.
    """

    metric: str
    direction: str
    kept: tuple[int, ...]
    num_valued: int
    epochs: int
    seconds: Number
    seconds_alone: Number

    def fits(self, description: TaskDescription) -> bool:
        """Whether the best by this description are the best that it remembers."""
        return (self.metric, self.direction) == (description.metric, description.direction)


def kept(trials: Sequence[TrialResult], description: TaskDescription) -> set[int]:
    """Numbers of a step run's trials that later steps read in full; of those alone the same.

    Args:
        trials: All of the run's, ended, by rising number.
        description: Says which metric decides.
    """
    searched = _searched(trials)
    order = ranked(searched, description)
    longest = max(map(epochs_done, searched), default=0)
    # Of those that trained longest one tells how long that was, even if none has a value.
    looked_at = [
        *(each for each in trials if each.purpose is not TrialPurpose.SEARCH),
        *(each for each in searched if is_incumbent(each)),
        *[each for each in searched if epochs_done(each) == longest][:1],
        *[each.trial for each in order if each.epochs == longest][:1],
        *[each.trial for each in order[:1]],
    ]
    return {each.number for each in looked_at}


def remember(trials: Sequence[TrialResult], description: TaskDescription) -> SearchMemory:
    """What is to be remembered of a step run.

    Args:
        trials: All of the run's, ended.
        description: Says which metric decides.
    """
    numbers = kept(trials, description)
    others = _sums([each for each in trials if each.number not in numbers], description)
    return SearchMemory(
        metric=description.metric,
        direction=description.direction,
        kept=tuple(sorted(numbers)),
        num_valued=others.num_valued,
        epochs=others.epochs,
        seconds=others.seconds,
        seconds_alone=others.seconds_alone,
    )


def left_out(
    memories: Iterable[SearchMemory],
    description: TaskDescription,
    *,
    read: Sequence[TrialResult] = (),
) -> LeftOut:
    """What the trials add up to that some memories do not keep.

    Args:
        memories: Of searches.
        description: By which they fit.
        read: Those of the searches' trials that are read although no memory keeps them.
    """
    found, less = list(memories), _sums(read, description)
    return LeftOut(
        num_valued=sum(each.num_valued for each in found) - less.num_valued,
        epochs=sum(each.epochs for each in found) - less.epochs,
        seconds=sum(each.seconds for each in found) - less.seconds,
        seconds_alone=sum(each.seconds_alone for each in found) - less.seconds_alone,
    )


def _sums(trials: Sequence[TrialResult], description: TaskDescription) -> LeftOut:
    return LeftOut(
        num_valued=len(ranked(_searched(trials), description)),
        epochs=sum(map(epochs_done, trials)),
        seconds=sum(each.outcome.seconds for each in trials),
        seconds_alone=sum(seconds_alone(description.fusing, each) for each in trials),
    )


def _searched(trials: Sequence[TrialResult]) -> list[TrialResult]:
    return [each for each in trials if each.purpose is TrialPurpose.SEARCH]
