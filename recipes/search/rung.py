"""One rung of a group of trials: who has arrived, who goes on, who ends here; its plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.search.allowance import Allowance
from recipes.search.halving import promote, rungs
from recipes.search.incumbent import is_incumbent
from recipes.search.runs import job_plans
from recipes.search.scoring import epochs_done, ranked
from recipes.step import Continued, StepContext, StepPlan, TrialResult
from recipes.trial import TrialState
from recipes.words import plural


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


def next_rung_plan(context: StepContext, allowed: Allowance, *, epochs: int) -> StepPlan | None:
    """The plan that takes the better half of the waiting trials on, and the incumbent with them.

    Without jobs when none of those that wait has a value. None when none waits, or the
    budget does not reach the next rung: what waits is then judged as it stands.

    Args:
        context: With the trials.
        allowed: What may still be run.
        epochs: The trials' whole length.
    """
    keep = [trial.number for trial in context.trials if is_incumbent(trial)]
    following = next_rung(context.trials, context.description, epochs=epochs, keep=keep)
    if following is None:
        return None
    going_on = following.going_on
    if not going_on:
        return StepPlan(discard=following.discarded)
    if not allowed.fits(len(going_on), following.until - following.done):
        return None
    return StepPlan(
        job_plans(
            context,
            [Continued.of(trial) for trial in going_on],
            epochs=epochs,
            until=following.until,
            done=following.done,
        ),
        f"Train the better {len(going_on)} on, to epoch {following.until}.",
        discard=following.discarded,
    )


def first_rung_text(count: int, *, until: int, epochs: int) -> str:
    """What a group's first rung trains, in words that end a sentence.

    Args:
        count: Settings.
        until: Where they pause first.
        epochs: Their whole length.
    """
    later = f", the better half of them on, up to {epochs}" if until < epochs else ""
    return f"{plural(count, 'setting')} for {plural(until, 'epoch')}{later}."
