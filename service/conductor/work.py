"""Writes what a step planned: trials, jobs, first attempts, and trials that end at a rung."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from recipes.run import JobKind
from recipes.search.allowance import iterations_per_epoch
from recipes.step import StepPlan, TrialPlan
from recipes.trial import TrialCause, TrialState
from service.clock import utc_now
from service.conductor.snapshot import Snapshot, StepSnapshot
from service.database.models import Trial
from service.repositories import jobs, step_runs, studies
from service.repositories.jobs import NewJob
from service.streams import events
from service.use_cases.points import record

PLAIN_ENGINE = "plain"
"""What stands there until a trial's outcome says how it was trained."""


def add_jobs(session: Session, snapshot: Snapshot, step: StepSnapshot, plan: StepPlan) -> None:
    """Write a plan: new trials by their numbers, all jobs, their first attempts.

    A trial that goes on keeps its number and becomes a member of its new job.
    """
    if not plan.jobs:
        return
    first = snapshot.num_trials
    new = plan.new_trials
    ids = _add_trials(session, snapshot, step, new)
    fresh = range(first, first + len(new))
    keys = {**step.keys, **dict(zip(fresh, ids, strict=True))}
    queued = []
    for job, numbers in zip(plan.jobs, plan.numbers(first), strict=True):
        run = job.run_spec(numbers).model_dump_json()
        queued.append(NewJob(JobKind.TRAIN, step.id, run, [keys[each] for each in numbers]))
    jobs.queue(session, snapshot.id, queued, now=utc_now())
    step_runs.say(session, step.id, plan.sentence)
    events.append(session, snapshot.id, "trial", {"numbers": list(fresh)})
    events.publish_on_commit(session, events.JOBS)


def discard(session: Session, study_id: int, step: StepSnapshot, numbers: Sequence[int]) -> None:
    """End trials that wait at a rung: what they measured stays, as of an early end."""
    waiting = {trial.number: trial.outcome for trial in step.trials}
    ending = {"state": TrialState.PRUNED, "cause": TrialCause.EARLY_DISCARD}
    ended = {step.keys[number]: waiting[number].model_copy(update=ending) for number in numbers}
    if ended:
        record(session, studies.lock(session, study_id), ended, utc_now())
        events.append(session, study_id, "trial", {"numbers": sorted(numbers)})


def _add_trials(
    session: Session, snapshot: Snapshot, step: StepSnapshot, new: Sequence[TrialPlan]
) -> Sequence[int]:
    if not new:
        return []
    rows = [
        {
            "study_id": snapshot.id,
            "step_run_id": step.id,
            "number": number,
            "purpose": trial.purpose,
            "label": trial.label,
            "params": json.dumps(dict(trial.params)),
            "seed": trial.seed,
            "data_seed": trial.data_seed,
            "engine": PLAIN_ENGINE,
            "state": TrialState.WAITING,
            "epoch_iterations": iterations_per_epoch(snapshot.description, trial.params),
        }
        for number, trial in enumerate(new, start=snapshot.num_trials)
    ]
    return session.scalars(
        insert(Trial).returning(Trial.id, sort_by_parameter_order=True), rows
    ).all()
