"""What a page says first: the sentence on where a study is, and on who works for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.space import Categorical, Float, Int
from recipes.step import Action, StepState
from recipes.study import StudyState
from recipes.wire import WorkerState
from service.views.format import STEP_NAMES, duration, estimate, mark, number, plural
from service.views.models import ActionView, StudySummary, StudyView, WorkerView


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
            return _waiting(study)
        case StudyState.COMPLETED:
            return f"Finished: {_outcome(study)}{_took(study)}"
        case StudyState.FAILED:
            reason = study.reason or "the task cannot be used"
            return "The task cannot be used." if study.problem else f"Failed: {reason}"
        case StudyState.CANCELLED:
            return "Cancelled. What it measured is kept."
        case StudyState.PAUSED:
            return (
                "Paused: what trains is let run to its end, and nothing new begins. Its budget of"
                " time stands still."
            )


def _waiting(study: StudyView) -> str:
    """What is asked of a person. The step's own sentence stands in the ladder, once."""
    said = "Stopped: it needs you."
    number_of_step = study.decision_step
    if study.problem is not None or number_of_step is None:
        return f"{said} {study.reason or ''}".rstrip()
    judged = [step for step in study.steps if step.number == number_of_step]
    name = f"Step {number_of_step}, {STEP_NAMES[number_of_step].lower()},"
    if judged and judged[-1].verdict is StepState.FAILED:
        return f"{said} {name} failed: mend the task and run it again, or go on without it."
    return f"{said} {name} asks: {study.reason or ''}".rstrip()


def _running(study: StudyView) -> str:
    current = study.current
    if current is None:
        return "Running: the next step is about to begin."
    name = STEP_NAMES[current.step].lower()
    again = f", round {current.round}" if current.round > 1 else ""
    again += f", pass {current.pass_number}" if current.pass_number > 1 else ""
    done = f"{current.done} of {plural(current.total, 'trial')} done." if current.total else ""
    return f"Step {current.step}, {name}{again}, is running. {done} {current.sentence}".strip()


STOPPED_BY: Mapping[str, str] = {
    "budget": "The budget is spent.",
    "rounds": "All its rounds are done.",
    "perfect": "Every validation sample is right: nothing can better it.",
    "no_gain": "Another round would gain nothing beyond the noise.",
    "advice_exhausted": "Everything the curves advise has been tried.",
    "no_value": "No trial ended with a value.",
    "skipped": "The next round was not wanted.",
}
"""Why a study that went through all its steps ended, by the reason it stored."""


def _outcome(study: StudyView) -> str:
    if study.best is not None:
        best = study.best
        value = estimate(best.value, best.standard_error)
        said = f"{best.metric} {value}, best of {plural(best.num_candidates, 'setting')}."
        return f"{said} {STOPPED_BY.get(study.reason or '', '')}".rstrip()
    last = {step.number: step for step in study.steps if step.state is not StepState.STALE}
    numbers = sorted(last)
    if not numbers:
        return study.reason or "nothing was to be done."
    warned = [n for n in numbers if last[n].state is not StepState.PASSED]
    which = f"step {numbers[0]}" if len(numbers) == 1 else f"steps {numbers[0]} to {numbers[-1]}"
    if not warned:
        return f"{which} passed."
    named = ", ".join(f"step {n} {mark(last[n].state).word}" for n in warned)
    return f"{which} are judged ({named})."


def _took(study: StudyView) -> str:
    """Its active time, as its budget counts it: without what it waited for a person."""
    if study.started_at is None or study.finished_at is None:
        return ""
    return f" It took {duration(study.budget.used.wall_seconds)}."


def has_live_worker(workers: Sequence[WorkerView]) -> bool:
    """Whether anybody is there to train."""
    dead = (WorkerState.LOST, WorkerState.GONE)
    return any(worker.state not in dead for worker in workers)


def not_run(study: StudyView, step: int) -> str:
    """Why a step has no run to show, and what it waits for."""
    if step not in study.planned_steps:
        return "This study leaves this step out."
    if study.state.has_ended:
        return "This step did not run: the study ended before it."
    begun = [each.number for each in study.steps if each.state is not StepState.STALE]
    before = [number for number in study.planned_steps if number < step]
    if study.state is StudyState.NEEDS_ACTION and study.decision_step is not None:
        return f"It waits for your decision on step {study.decision_step}."
    if before and max(begun, default=0) < step:
        return f"It has not run yet: it waits for step {before[-1]}."
    return "It has not run yet."


def crew(workers: Sequence[WorkerView]) -> str:
    """How many workers are in which state, those that are here first: ``2 busy, 1 lost``."""
    order = ("busy", "idle", "draining", "late", "lost")
    counts = {name: sum(worker.state.value == name for worker in workers) for name in order}
    named = [f"{count} {name}" for name, count in counts.items() if count]
    if not named:
        return ""
    total = sum(counts.values())
    return f"{plural(total, 'worker')}: {', '.join(named)}."


def line_of(study: StudySummary) -> str:
    """Where a study of a list is, in a line."""
    current = study.current
    if study.state is StudyState.RUNNING and current is not None:
        name = STEP_NAMES[current.step].lower()
        said = f"Step {current.step} of 7, {name}, is running."
        done = f" {current.done} of {plural(current.total, 'trial')} done."
        return said + (done if current.total else "")
    said = study.sentence or study.reason or ""
    if study.state.has_ended and study.best is not None:
        return STOPPED_BY.get(study.reason or "", said)
    return said[:1].upper() + said[1:]


def cost_sentence(action: Action | ActionView | None) -> str:
    """What having an action done would cost, where that is known."""
    cost = getattr(action, "cost", None)
    if cost is None:
        return ""
    epochs = f", {plural(round(cost.epochs), 'epoch')}" if cost.epochs >= 1 else ""
    return f"About {duration(cost.seconds)}{epochs}, as before." if cost.seconds else ""


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
