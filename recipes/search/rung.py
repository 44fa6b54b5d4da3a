"""One rung of a group of trials: who has arrived, who goes on, who ends here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.search.halving import promote, rungs
from recipes.search.scoring import epochs_done, ranked
from recipes.step import TrialResult
from recipes.trial import TrialState


@dataclass(frozen=True, slots=True)
class NextRung:
    """What follows for a group that waits.

    Attributes:
        going_on: Those promoted, the best first.
        discarded: Numbers of those that end here.
        done: Epochs behind them all.
        until: Where they pause next (the last rung: their end).
    """

    going_on: tuple[TrialResult, ...]
    discarded: tuple[int, ...]
    done: int
    until: int


def next_rung(
    trials: Sequence[TrialResult],
    description: TaskDescription,
    *,
    epochs: int,
    keep: Collection[int] = (),
) -> NextRung | None:
    """What follows for the trials that wait; None when none does.

    Args:
        trials: A group that started together.
        description: Says which metric decides.
        epochs: Their whole length.
        keep: Numbers that go on however they stand.
    """
    waiting = [each for each in trials if each.outcome.state is TrialState.WAITING]
    if not waiting:
        return None
    done = max(map(epochs_done, waiting))
    order = ranked(waiting, description)
    chosen = promote(order, keep=tuple(keep))
    by_number = {each.number: each for each in waiting}
    return NextRung(
        going_on=tuple(by_number[number] for number in chosen),
        discarded=tuple(number for number in by_number if number not in chosen),
        done=done,
        until=next(rung for rung in rungs(epochs) if rung > done),
    )
