"""Makes large studies: the real steps on scripted numbers, most rows written in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from benchmarks.scale.script import Formula
from recipes.run import JobKind, MemberSpec, RunSpec
from recipes.search.proposals import propose
from recipes.search.scoring import score
from recipes.step import StepKind, TrialResult
from recipes.study import StudyConfig
from recipes.trial import TrialPurpose, TrialState
from recipes.wire import AttemptState, RegisterRequest
from service.clock import utc_now
from service.conductor.advance import advance
from service.conductor.decisions import Decision, Judge, decide
from service.conductor.recipe import SEVENSTEP
from service.conductor.snapshot import read
from service.database.base import Base
from service.database.engine import Database
from service.database.models import (
    Attempt,
    AttemptMember,
    Curve,
    CurvePoint,
    Job,
    JobMember,
    Study,
    Trial,
)
from service.database.types import NumberKind
from service.dispatch.scripted import ScriptedDispatcher
from service.repositories import jobs, step_runs, studies
from service.repositories.jobs import NewJob
from service.settings import Settings
from service.uids import new_uid
from service.use_cases import studies as use_cases
from service.use_cases import workers

EPOCHS = 5
PARAMS_AT_ONCE = 1_000
"""Trials whose rows are made in one go."""
SPACE_SEED = 7


@dataclass
class Maker:
    """Makes studies in a database.

    Args:
        database: With the tables.
        settings: The service's.
    """

    database: Database
    settings: Settings

    def __post_init__(self) -> None:
        self.script = Formula()
        self.worker = ScriptedDispatcher(self.database, self.script, settings=self.settings)

    def begun(self, name: str) -> str:
        """A study whose first search has ended, and is to be judged."""
        with self.database.write() as session:
            uid = use_cases.create(session, _config(name)).id
        self.worker.submit(())
        self.to_the_end_of_step(uid, StepKind.COARSE_SEARCH.number)
        return uid

    def add_planned(self, count: int) -> None:
        """Studies with a search planned, each of whose one trial waits for a worker."""
        with self.database.write() as session:
            uids = [
                use_cases.create(session, _config(f"study {number}", trials=1)).id
                for number in range(count)
            ]
        self.worker.submit(())  # describes them all
        for uid in uids:
            for _ in ("begin", "plan"):
                self.advance(uid)

    def to_the_end_of_step(self, uid: str, step: int) -> Decision:
        """Carry a study on until this step is to be judged; that decision, not taken yet."""
        while True:
            decision = self.decision(uid)
            if isinstance(decision, Judge) and decision.step.number == step:
                return decision
            self.advance(uid)
            self.worker.submit(())

    def decision(self, uid: str) -> Decision:
        """What a study that waits for nothing does next."""
        with self.database.read() as session:
            snapshot = read(session, uid, recipe=SEVENSTEP, settings=self.settings)
        assert snapshot is not None
        return decide(snapshot, SEVENSTEP)

    def advance(self, uid: str) -> None:
        """Take one decision."""
        advance(self.database, uid, settings=self.settings)

    def add_ended(self, uid: str, count: int, *, points: int = 20) -> None:
        """Give a study's running step so many more trials, ended, with a curve each."""
        with self.database.write() as session:
            study = studies.require(session, uid)
            run = step_runs.of_study(session, study.id)[-1]
            first = study.num_trials
            for numbers in _batches(first, count):
                self._add(session, study.id, run.id, numbers, points)
            session.execute(
                update(Study).where(Study.id == study.id).values(num_trials=first + count)
            )

    def add_queued(self, uid: str, count: int) -> None:
        """Queue so many trials in a study's running step, a job each."""
        now = utc_now()
        with self.database.write() as session:
            study = studies.require(session, uid)
            run = step_runs.of_study(session, study.id)[-1]
            first = study.num_trials
            for numbers in _batches(first, count):
                specs = self._members(numbers)
                rows = [self._trial(study.id, run.id, each) for each in specs]
                ids = session.scalars(
                    insert(Trial).returning(Trial.id, sort_by_parameter_order=True), rows
                ).all()
                new = [
                    NewJob(JobKind.TRAIN, run.id, _run(spec).model_dump_json(), [trial_id])
                    for spec, trial_id in zip(specs, ids, strict=True)
                ]
                jobs.queue(session, study.id, new, now=now)
            session.execute(
                update(Study).where(Study.id == study.id).values(num_trials=first + count)
            )

    def add_workers(self, count: int) -> list[str]:
        """Register workers of one slot each."""
        with self.database.write() as session:
            return [
                workers.register(
                    session,
                    RegisterRequest(name=f"w{number}", slots=1, version="0"),
                    settings=self.settings,
                ).worker
                for number in range(count)
            ]

    def _members(self, numbers: range) -> list[MemberSpec]:
        space = self.script.description.space
        drawn = propose("random", space, first=numbers.start, count=len(numbers), seed=SPACE_SEED)
        return [
            MemberSpec(trial=number, params=params, seed=number, data_seed=7)
            for number, params in zip(numbers, drawn, strict=True)
        ]

    def _trial(self, study_id: int, run_id: int, spec: MemberSpec) -> dict[str, Any]:
        return {
            "study_id": study_id,
            "step_run_id": run_id,
            "number": spec.trial,
            "purpose": TrialPurpose.SEARCH,
            "label": "search",
            "params": json.dumps(dict(spec.params)),
            "seed": spec.seed,
            "data_seed": spec.data_seed,
            "engine": "plain",
            "state": TrialState.WAITING,
            "epoch_iterations": 16,
        }

    def _add(
        self, session: Session, study_id: int, run_id: int, numbers: range, points: int
    ) -> None:
        now = utc_now()
        specs = self._members(numbers)
        description = self.script.description
        outcomes = [self.script.train(_run(spec), spec).outcome for spec in specs]
        trials = []
        for spec, outcome in zip(specs, outcomes, strict=True):
            found = score(
                TrialResult(spec.trial, TrialPurpose.SEARCH, "", {}, outcome), description
            )
            trials.append(
                {
                    **self._trial(study_id, run_id, spec),
                    "state": outcome.state,
                    "cause": outcome.cause,
                    "outcome": outcome.model_dump_json(),
                    "iterations": outcome.iterations,
                    "value": None if found is None else found.value,
                    "started_at": now - timedelta(seconds=1),
                    "ended_at": now,
                }
            )
        trial_ids = _insert(session, Trial, trials)
        job_ids = _insert(
            session,
            Job,
            [
                {
                    "study_id": study_id,
                    "step_run_id": run_id,
                    "kind": JobKind.TRAIN,
                    "run": _run(spec).model_dump_json(),
                    "state": TrialState.COMPLETE,
                    "created_at": now,
                    "ended_at": now,
                }
                for spec in specs
            ],
        )
        attempt_ids = _insert(
            session,
            Attempt,
            [
                {
                    "uid": new_uid(),
                    "job_id": job_id,
                    "number": 1,
                    "fence": 1,
                    "state": AttemptState.SUCCEEDED,
                    "queued_at": now,
                    "started_at": now,
                    "ended_at": now,
                    "seconds": 1.0,
                }
                for job_id in job_ids
            ],
        )
        pairs = list(zip(attempt_ids, job_ids, trial_ids, strict=True))
        session.execute(
            insert(JobMember),
            [
                {"job_id": job_id, "trial_id": trial_id, "state": TrialState.COMPLETE}
                for _, job_id, trial_id in pairs
            ],
        )
        session.execute(
            insert(AttemptMember),
            [{"attempt_id": attempt, "trial_id": trial} for attempt, _, trial in pairs],
        )
        curve_ids = _insert(
            session,
            Curve,
            [
                {"trial_id": trial, "attempt_id": attempt, "metric": "loss", "split": "train"}
                for attempt, _, trial in pairs
            ],
        )
        session.execute(
            insert(CurvePoint),
            [
                {
                    "curve_id": curve_id,
                    "iteration": 4 * at,
                    "value": 2.3 / (1 + at),
                    "kind": NumberKind.FINITE,
                }
                for curve_id in curve_ids
                for at in range(points)
            ],
        )


def _config(name: str, *, trials: int = 8) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": name,
            "task": "digits",
            "steps": (4, 5, 6, 7),
            "search": {
                "coarse_trials": trials,
                "coarse_epochs": EPOCHS,
                "fine_trials": 8,
                "early_discard": False,
            },
            "max_rounds": 1,
        }
    )


def _run(spec: MemberSpec) -> RunSpec:
    return RunSpec(members=(spec,), epochs=EPOCHS)


def _insert(session: Session, table: type[Base], rows: list[dict[str, Any]]) -> list[int]:
    key = table.__table__.c.id
    statement = insert(table).returning(key, sort_by_parameter_order=True)
    return list(session.scalars(statement, rows).all())


def _batches(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, PARAMS_AT_ONCE):
        yield range(start, min(start + PARAMS_AT_ONCE, first + count))
