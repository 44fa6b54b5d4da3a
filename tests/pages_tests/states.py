"""Everything a page can show, in every state it can be in, as rows: nothing trains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from recipes.description import TaskProblem
from recipes.outcome import MemberOutcome
from recipes.run import JobKind
from recipes.step import StepState
from recipes.study import StudyConfig, StudyState
from recipes.trial import TrialCause, TrialPurpose, TrialState
from recipes.wire import AttemptState
from service.clock import database_now, utc_now
from service.database.models import (
    Attempt,
    AttemptMember,
    Job,
    JobMember,
    StepRun,
    Study,
    Trial,
    Worker,
)
from service.repositories import curves
from service.repositories.curves import CurveName
from service.uids import new_uid
from tests.pages_tests.gallery import whole_study
from tests.pages_tests.gallery_reports import BATCHES, params_of
from tests.recipes_tests.builders import initialisation

TRACEBACK = 'Traceback (most recent call last):\n  File "net.py", line 12, in forward\nValueError'
LONG_NAME = "a-name-without-a-single-blank-" * 3


@dataclass(frozen=True, slots=True)
class States:
    """Where to find each state.

    Attributes:
        studies: Uids by what they are in.
        trials: Numbers of the running study's trials by what they are in.
        workers: Uids by what they are in.
    """

    studies: Mapping[str, str]
    trials: Mapping[str, int]
    workers: Mapping[str, str]

    def paths(self) -> list[str]:
        """The address of every page in every state."""
        whole, running = self.studies["completed"], self.studies["running"]
        found = ["/studies", "/studies?state=paused", "/studies?q=none-such", "/studies/new"]
        found += [f"/studies/{uid}" for uid in self.studies.values()]
        found += [f"/studies/{whole}/steps/{number}" for number in range(1, 8)]
        found += [f"/studies/{whole}/steps/4?round=1&pass=1"]
        found += [f"/studies/{running}/steps/{number}" for number in (4, 5)]
        found += [f"/studies/{self.studies['accepts']}/steps/4"]
        found += [f"/studies/{uid}/report" for uid in (whole, running, self.studies["pending"])]
        for query in ("", "?step=4&sort=-rung", "?state=failed", "?purpose=final"):
            found.append(f"/studies/{whole}/trials{query}")
        found.append(f"/studies/{running}/trials")
        found += [f"/studies/{whole}/trials/{number}" for number in (0, 1)]
        found += [f"/studies/{running}/trials/{number}" for number in self.trials.values()]
        found += ["/workers", *(f"/workers/{uid}" for uid in self.workers.values())]
        found += ["/findings", "/findings/overfitting", "/findings/missing_zero_grad"]
        return [*found, "/docs", "/studies/none", "/nothing-here"]


def every_state(session: Session) -> States:
    """Write them."""
    workers = _workers(session)
    studies = {
        "pending": _bare(session, "waits for a worker", StudyState.PENDING),
        "failed": _bare(session, LONG_NAME, StudyState.FAILED, problem=_problem()),
        "cancelled": _bare(session, "was cancelled", StudyState.CANCELLED, reason="cancelled"),
        "running": whole_study(session, name="runs", until=3, state=StudyState.RUNNING),
        "paused": whole_study(session, name="is paused", until=5, state=StudyState.PAUSED),
        "accepts": whole_study(session, name="asks", until=4, state=StudyState.NEEDS_ACTION),
        "stuck": whole_study(session, name="is stuck", until=2, state=StudyState.NEEDS_ACTION),
        "completed": whole_study(session),
    }
    _fail_last_step(session, studies["stuck"])
    trials = _running_step(session, studies["running"], workers["busy"])
    return States(studies, trials, workers)


def _problem() -> TaskProblem:
    return TaskProblem(
        message="the model's forward raised ValueError: sizes do not fit",
        file="/home/someone/a/rather/deep/folder/with/tasks/net.py",
        line=12,
        cure="look at the shapes that forward gets: (2, 1, 8, 8)",
        traceback=TRACEBACK,
    )


def _bare(
    session: Session,
    name: str,
    state: StudyState,
    *,
    reason: str | None = None,
    problem: TaskProblem | None = None,
) -> str:
    """A study without a single step."""
    now = utc_now()
    study = Study(
        uid=new_uid(),
        name=name,
        config=StudyConfig(name=name, task="digits").model_dump_json(),
        seed=0,
        state=state,
        reason=reason,
        problem=None if problem is None else problem.model_dump_json(),
        created_at=now,
        started_at=now,
        finished_at=now if state.has_ended else None,
    )
    session.add(study)
    session.flush()
    return study.uid


def _fail_last_step(session: Session, uid: str) -> None:
    run = session.scalars(
        select(StepRun)
        .join(Study, Study.id == StepRun.study_id)
        .where(Study.uid == uid)
        .order_by(StepRun.id.desc())
    ).first()
    assert run is not None
    assert run.report is not None
    report = json.loads(run.report) | {"state": "failed", "verdict": "failed"}
    report["action"] = {"kind": "change", "sentence": "Double the width.", "changes": {}}
    run.state, run.report = StepState.FAILED, json.dumps(report)


def _workers(session: Session) -> dict[str, str]:
    """One in each state that follows from a heartbeat's age; busy once it holds an attempt."""
    now = database_now(session)
    # Those that are here are heard of until long after the tests are over.
    ages = {"busy": -3600, "idle": -3600, "late": 600, "lost": 7200, "gone": 7200}
    made = {}
    for name, seconds in ages.items():
        seen = now - timedelta(seconds=seconds)
        worker = Worker(
            uid=new_uid(),
            name=f"gpu-{name}",
            slots=2,
            devices=json.dumps(["NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"]),
            version="0.0.9" if name == "idle" else "0.1.0",
            registered_at=seen - timedelta(hours=1),
            seen_at=seen,
            gone_at=seen if name == "gone" else None,
        )
        session.add(worker)
        made[name] = worker.uid
    session.flush()
    return made


def _running_step(session: Session, uid: str, worker_uid: str) -> dict[str, int]:
    """Step 4 under way, with a trial in each state a trial can be in."""
    study = session.scalars(select(Study).where(Study.uid == uid)).one()
    worker = session.scalars(select(Worker).where(Worker.uid == worker_uid)).one()
    now = database_now(session)
    run = StepRun(
        study_id=study.id,
        number=4,
        round=1,
        pass_number=1,
        state=StepState.RUNNING,
        plan="32 trials of 1 epoch, the better half of them on.",
        started_at=now,
    )
    session.add(run)
    session.flush()
    maker = _Maker(session, study, run, worker, now)
    return {
        "waiting": maker.make(TrialState.WAITING, None, [AttemptState.QUEUED]),
        "running": maker.make(TrialState.RUNNING, None, [AttemptState.RUNNING], points=12),
        "resumed": maker.make(
            TrialState.RUNNING,
            None,
            [AttemptState.SUCCEEDED, AttemptState.LOST, AttemptState.RUNNING],
            points=60,
        ),
        "error": maker.make(TrialState.FAILED, TrialCause.ERROR, [AttemptState.FAILED] * 3),
        "memory": maker.make(
            TrialState.FAILED, TrialCause.OUT_OF_MEMORY, [AttemptState.FAILED], points=3
        ),
        "lost": maker.make(TrialState.FAILED, TrialCause.LOST, [AttemptState.LOST] * 3),
        "non_finite": maker.make(
            TrialState.COMPLETE, TrialCause.NON_FINITE, [AttemptState.SUCCEEDED], points=5
        ),
        "cancelled": maker.make(
            TrialState.CANCELLED, TrialCause.CANCELLED, [AttemptState.CANCELLED]
        ),
        "untrained": maker.make(
            TrialState.COMPLETE,
            TrialCause.FINISHED,
            [AttemptState.SUCCEEDED],
            purpose=TrialPurpose.CHECK,
        ),
    }


class _Maker:
    """Writes trials of one step run, each with a job and its attempts."""

    def __init__(
        self, session: Session, study: Study, run: StepRun, worker: Worker, now: datetime
    ) -> None:
        self._session, self._study, self._run = session, study, run
        self._worker, self._now = worker, now

    def make(
        self,
        state: TrialState,
        cause: TrialCause | None,
        attempts: list[AttemptState],
        *,
        points: int = 0,
        purpose: TrialPurpose = TrialPurpose.SEARCH,
    ) -> int:
        """Write one; its number."""
        number = self._study.num_trials
        self._study.num_trials += 1
        is_check = purpose is TrialPurpose.CHECK
        outcome = MemberOutcome(
            trial=number,
            state=state,
            cause=cause,
            iterations=points,
            seconds=1.5,
            initialisation=initialisation() if is_check else None,
            message="device ran out of memory" if cause is TrialCause.OUT_OF_MEMORY else None,
        )
        trial = Trial(
            study_id=self._study.id,
            step_run_id=self._run.id,
            number=number,
            purpose=purpose,
            label="initialisation" if is_check else "search",
            params=json.dumps(params_of(number)),
            seed=number,
            data_seed=0,
            engine="plain",
            state=state,
            cause=cause,
            outcome=outcome.model_dump_json() if state.has_ended else None,
            iterations=points,
            epoch_iterations=BATCHES,
            started_at=self._now,
            ended_at=self._now if state.has_ended else None,
        )
        self._session.add(trial)
        self._session.flush()
        for place, attempt_state in enumerate(attempts):
            self._attempt(trial, attempt_state, place, points)
        return number

    def _attempt(self, trial: Trial, state: AttemptState, place: int, points: int) -> None:
        job = Job(
            study_id=self._study.id,
            step_run_id=self._run.id,
            kind=JobKind.TRAIN,
            state=TrialState.COMPLETE if state.has_ended else TrialState.RUNNING,
            created_at=self._now,
        )
        self._session.add(job)
        self._session.flush()
        is_queued = state is AttemptState.QUEUED
        failed = state is AttemptState.FAILED
        attempt = Attempt(
            uid=new_uid(),
            job_id=job.id,
            number=1,
            fence=1,
            state=state,
            worker_id=None if is_queued else self._worker.id,
            slot=None if is_queued else 0,
            queued_at=self._now,
            started_at=None if is_queued else self._now,
            ended_at=self._now if state.has_ended else None,
            lease_expires_at=None if is_queued else self._now + timedelta(hours=1),
            seconds=2.0,
            cause="worker_gone" if state is AttemptState.LOST else "error" if failed else None,
            error="ValueError: sizes do not fit" if failed else None,
            traceback=TRACEBACK if failed else None,
        )
        self._session.add(attempt)
        member_state = TrialState.COMPLETE if state.has_ended else trial.state
        self._session.add(JobMember(job_id=job.id, trial_id=trial.id, state=member_state))
        self._session.flush()
        if is_queued:
            return
        self._session.add(
            AttemptMember(
                attempt_id=attempt.id, trial_id=trial.id, resume_iteration=place * BATCHES
            )
        )
        self._session.flush()
        if points:
            self._curve(trial, attempt, points)

    def _curve(self, trial: Trial, attempt: Attempt, points: int) -> None:
        values = {i: 2.3 * 0.97**i for i in range(points)}
        if trial.cause is TrialCause.NON_FINITE:
            values[points - 1] = float("nan")
        named = {
            CurveName(trial.id, "loss", "train"): values,
            CurveName(trial.id, "update_ratio/1.weight", "train"): {0: 0.08, points - 1: 1e-5},
        }
        keys = curves.add_curves(self._session, attempt.id, named)
        curves.add_points(self._session, {keys[name]: found for name, found in named.items()})
