"""What a page says first: the sentence on where a study is, and the rows of its ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.space import Categorical, Float, Int
from recipes.step import StepReport
from recipes.study import StudyState
from recipes.wire import WorkerState
from service.pages.format import STEP_NAMES, STEP_PURPOSES, Mark, duration, mark, number, plural
from service.views import StudyView, WorkerView

NUM_STEPS = 7


@dataclass(frozen=True, slots=True)
class Rung:
    """One row of the ladder. ``report`` is None while the step has not run."""

    number: int
    name: str
    mark: Mark
    sentence: str
    report: StepReport | None
    is_current: bool


def now(study: StudyView, *, has_worker: bool) -> str:
    """Where the study is, in one or two sentences."""
    match study.state:
        case StudyState.PENDING:
            if has_worker:
                return "A worker is looking at the task: its data, its model, its search space."
            return "Waiting for a worker to look at the task."
        case StudyState.RUNNING:
            return _running(study)
        case StudyState.NEEDS_ACTION:
            return f"Stopped: it needs you. {study.reason or ''}".rstrip()
        case StudyState.COMPLETED:
            return f"Finished: {_outcome(study)}{_took(study)}"
        case StudyState.FAILED:
            reason = study.reason or "the task cannot be used"
            return "The task cannot be used." if study.problem else f"Failed: {reason}"
        case StudyState.CANCELLED:
            return "Cancelled. What it measured is kept."
        case StudyState.PAUSED:
            return "Paused."


def _running(study: StudyView) -> str:
    current = study.current
    if current is None:
        return "Running: the next step is about to begin."
    name = STEP_NAMES[current.step].lower()
    again = f", pass {current.pass_number}" if current.pass_number > 1 else ""
    done = f"{current.done} of {plural(current.total, 'trial')} done." if current.total else ""
    return f"Step {current.step}, {name}{again}, is running. {done} {current.sentence}".strip()


def _outcome(study: StudyView) -> str:
    last = {step.number: step for step in study.steps}
    numbers = sorted(last)
    if not numbers:
        return study.reason or "nothing was to be done."
    warned = [n for n in numbers if last[n].state.value != "passed"]
    which = f"step {numbers[0]}" if len(numbers) == 1 else f"steps {numbers[0]} to {numbers[-1]}"
    if not warned:
        return f"{which} passed."
    named = ", ".join(f"step {n} {mark(last[n].state).word}" for n in warned)
    return f"{which} are judged ({named})."


def _took(study: StudyView) -> str:
    if study.started_at is None or study.finished_at is None:
        return ""
    return f" It took {duration((study.finished_at - study.started_at).total_seconds())}."


def ladder(study: StudyView, reports: Sequence[StepReport]) -> list[Rung]:
    """All seven rows: the latest run of each step, and what becomes of the others."""
    latest = {report.number: report for report in reports}
    rungs = []
    for step in range(1, NUM_STEPS + 1):
        report = latest.get(step)
        if report is not None:
            sentence = report.sentence or "Running: no verdict yet."
            shown = mark(report.state)
        elif step in study.planned_steps and not study.state.has_ended:
            sentence, shown = STEP_PURPOSES[step], mark("waiting")
        else:
            sentence, shown = STEP_PURPOSES[step], Mark("·", _absent(study, step), "quiet")
        rungs.append(
            Rung(
                number=step,
                name=STEP_NAMES[step],
                mark=shown,
                sentence=sentence,
                report=report,
                is_current=study.current is not None and study.current.step == step,
            )
        )
    return rungs


def _absent(study: StudyView, step: int) -> str:
    return "did not run" if step in study.planned_steps else "not in this study"


def has_live_worker(workers: Sequence[WorkerView]) -> bool:
    """Whether anybody is there to train."""
    dead = (WorkerState.LOST, WorkerState.GONE)
    return any(worker.state not in dead for worker in workers)


def worker_sentence(worker: WorkerView) -> str:
    """What a worker does, in words."""
    match worker.state:
        case WorkerState.BUSY:
            return f"Training on {worker.busy_slots} of {plural(worker.slots, 'slot')}."
        case WorkerState.IDLE:
            return "Ready, with nothing to do."
        case WorkerState.DRAINING:
            return "Finishing what it has; takes nothing new."
        case WorkerState.LATE:
            return "A heartbeat is overdue: it may be busy, or its network slow."
        case WorkerState.LOST:
            return "Not heard of for longer than a lease: its attempts went to others."
        case WorkerState.GONE:
            return "Said goodbye."


def distribution(values: Float | Int | Categorical) -> str:
    """A hyperparameter's values as people write them."""
    if isinstance(values, Categorical):
        return ", ".join(str(choice) for choice in values.choices)
    text = f"{number(values.low)} .. {number(values.high)}"
    if values.log:
        text += ", log"
    if isinstance(values, Float) and values.zero:
        text += ", or 0"
    return text
