"""Which trials of earlier searches a decision reads: few, however many there were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from recipes.description import TaskDescription
from recipes.evidence.study_curves import MOST_READ, best_number
from recipes.search.memory import SearchMemory
from recipes.step import Step, StepKind, StepReport, StepState
from service.database.models import StepRun, Trial
from service.repositories import step_work, trials

SEARCHES = tuple(
    kind.number for kind in (StepKind.COARSE_SEARCH, StepKind.FINE_SEARCH, StepKind.LOOP)
)
"""Steps whose trials a later step may look back at."""


@dataclass(frozen=True, slots=True)
class EarlierTrials:
    """What a step reads of earlier searches.

    Attributes:
        whole: Keys of the step runs of which it reads every trial.
        memories: What is remembered of the other searches, by the keys of their step runs.
        numbers: Of which trials of those it reads.
    """

    whole: frozenset[int] = frozenset()
    memories: Mapping[int, SearchMemory] = field(default_factory=dict)
    numbers: frozenset[int] = frozenset()

    def is_unremembered(self, row: Trial) -> bool:
        """Whether a trial that is read is one that the memory of its search adds up."""
        memory = self.memories.get(row.step_run_id)
        return memory is not None and row.number not in memory.kept


def earlier_trials(
    session: Session,
    runs: Mapping[int, StepRun],
    current: StepRun,
    *,
    step: Step,
    history: Sequence[StepReport],
    description: TaskDescription,
) -> EarlierTrials:
    """Choose what a step reads, as ``StepContext.search`` says it.

    Args:
        session: Any session.
        runs: The study's step runs, by their keys.
        current: The one that is under way.
        step: What it is a run of.
        history: The study's reports.
        description: By which the best are told.
    """
    if not step.reads_search:
        return EarlierTrials()
    searches = {
        key
        for key, run in runs.items()
        if run.number in SEARCHES and run.state is not StepState.STALE and key != current.id
    }
    # Earlier passes of the step under way are its own trials: it judges them all together.
    memories = {
        key: memory
        for key, memory in step_work.memories(session, current.study_id).items()
        if key in searches and memory.fits(description)
        if (runs[key].number, runs[key].round) != (current.number, current.round)
    }
    numbers: set[int] = set()
    if step.reads_curves:
        here = {key for key in memories if runs[key].round == current.round}
        counts = trials.counts(session, here)
        large = {key for key in here if counts[key].total > MOST_READ}
        memories = {key: each for key, each in memories.items() if key not in here - large}
        numbers |= trials.foremost(
            session,
            current.study_id,
            large,
            MOST_READ,
            maximise=description.direction == "maximize",
        )
        best = best_number(history)
        if best is not None:
            numbers.add(best)
    numbers |= {number for each in memories.values() for number in each.kept}
    return EarlierTrials(frozenset(searches - memories.keys()), memories, frozenset(numbers))
