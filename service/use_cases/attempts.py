"""Use cases on attempts: claim, heartbeat, finish. Curve points: ``points``.

Who writes for an attempt says under which fence. The fence rises each time the job is
handed out, so whoever held it before is refused, however late it writes.

A claim is safe to repeat. A slot that claims is free; what it still holds by our books was
either never received (the answer was lost: the same attempt is handed out again, under a
new fence) or left behind (it is lost, and the next attempt queued).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from recipes.run import Job, JobKind, RunSpec, TaskRef
from recipes.trial import TrialState
from recipes.wire import (
    AttemptState,
    Claim,
    ClaimRequest,
    FinishRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    ResumePoint,
    Snapshot,
)
from service.clock import database_now
from service.database.engine import after_commit
from service.database.models import Study
from service.errors import Fenced, InvalidInput
from service.repositories import artifacts, claims, jobs, queue, studies, trials
from service.repositories import attempts as repository
from service.repositories.attempts import HELD, AttemptMemberView, Held
from service.repositories.claims import Assignment, Slot
from service.repositories.stored import config_of
from service.settings import Settings
from service.streams import events
from service.use_cases import fallback, rerun, tokens
from service.use_cases.attempt_end import end_attempt
from service.use_cases.points import points
from service.use_cases.retry import Ending
from service.use_cases.task_policy import held_back

log = logging.getLogger(__name__)

__all__ = ["claim", "finish", "heartbeat", "lose", "points"]


def claim(
    session: Session, worker_uid: str, request: ClaimRequest, *, settings: Settings
) -> Claim | None:
    """Hand an attempt to a worker's slot; None when none waits. Does not wait itself.

    Raises:
        NotFound: There is no such worker: it registers again.
    """
    slot = claims.slot(session, worker_uid, request.slot)
    session.info["failpoint"] = "claim.after_commit"
    token = tokens.new_secret(tokens.ATTEMPT_PREFIX)
    lease = timedelta(seconds=settings.lease_seconds)
    uid = _still_held(session, slot, lease, settings, tokens.digest(token))
    is_new = uid is None
    # What was lost just now may have waited for its study's row.
    now = database_now(session) if slot.held else slot.now
    if uid is None:
        uid = queue.take(
            session,
            slot.worker_id,
            request.slot,
            now=now,
            lease_expires_at=now + lease,
            token_sha256=tokens.digest(token),
            held_back=partial(held_back, session, settings),
        )
    if uid is None:
        return None
    assigned = claims.assignment(session, uid)
    held = assigned.held
    if is_new:
        members = _start(session, held, now)
    else:
        members = repository.members(session, held.attempt_id)
    _tell(session, held, logging.DEBUG, f"handed to slot {request.slot} of worker {worker_uid}")
    return _claim(session, assigned, members, settings, token)


def heartbeat(
    session: Session, attempt_uid: str, request: HeartbeatRequest, *, settings: Settings
) -> HeartbeatAnswer:
    """Renew an attempt's lease, and say whether to go on and which members to drop.

    Raises:
        Fenced: The attempt is not held under this fence (any more).
    """
    now = database_now(session)
    held = repository.renew(
        session,
        attempt_uid,
        request.fence,
        now=now,
        lease_expires_at=now + timedelta(seconds=settings.lease_seconds),
    )
    if held is None:
        raise Fenced(attempt_uid)
    unwanted = (TrialState.CANCELLED, TrialState.PRUNED)
    members = repository.members(session, held.attempt_id)
    return HeartbeatAnswer(
        command="stop" if held.state is AttemptState.STOPPING else "continue",
        drop=tuple(member.number for member in members if member.state in unwanted),
    )


def finish(
    session: Session, attempt_uid: str, request: FinishRequest, *, settings: Settings
) -> int:
    """End an attempt as its worker says. Saying the same again changes nothing.

    Returns:
        How many of the last points were new.

    Raises:
        NotFound: There is no such attempt.
        Fenced: It is not held under this fence, or has ended otherwise.
        InvalidInput: A description for a job that asked for none, or none for one that did; or
            as ``points`` says.
        ConflictingPoints: As ``points`` says.
    """
    study = studies.lock_of_attempt(session, attempt_uid)
    held = repository.get(session, attempt_uid)
    if held.fence == request.fence and held.state is request.state:
        return 0
    if held.fence != request.fence or held.state not in HELD:
        raise Fenced(attempt_uid)
    accepted = 0
    if request.blocks or request.outcomes:
        accepted = points(session, attempt_uid, request).accepted
    session.info["failpoint"] = "finish.after_commit"
    if held.kind is JobKind.DESCRIBE:
        _note_description(session, study, request)
    elif request.description is not None:
        raise InvalidInput("description", "...", "only a describe job has one; leave it out")
    error = request.error
    ending = Ending(
        state=request.state,
        cause=error.kind if error else None,
        message=error.message if error else None,
        traceback=error.traceback if error else None,
        problem=error.problem if error else None,
    )
    end_attempt(session, study, held, ending, settings=settings)
    level = logging.WARNING if request.state is AttemptState.FAILED else logging.DEBUG
    _tell(session, held, level, f"{request.state.value}{f', {ending.cause}' if error else ''}")
    return accepted


def lose(
    session: Session, attempt_uid: str, *, cause: str, settings: Settings, expired_only: bool
) -> bool:
    """End a held attempt as lost; whether it was still held.

    Args:
        session: A write session.
        attempt_uid: Which.
        cause: ``lease_expired``, ``worker_gone`` or ``left_behind``.
        settings: How many losses are too many.
        expired_only: Whether to leave it alone unless its lease has run out.
    """
    study = studies.lock_of_attempt(session, attempt_uid)
    held = repository.get(session, attempt_uid)
    if held.state not in HELD:
        return False
    if expired_only and not repository.is_expired(session, held.attempt_id, database_now(session)):
        return False
    ending = Ending(AttemptState.LOST, cause=cause)
    end_attempt(session, study, held, ending, settings=settings)
    _tell(session, held, logging.WARNING, f"lost, {cause}")
    return True


def _tell(session: Session, held: Held, level: int, what: str) -> None:
    """Log what happened to an attempt, once it has happened for good."""
    if log.isEnabledFor(level):
        study = session.get_one(Study, held.study_id).uid
        fields = {"study": study, "attempt": held.uid}
        line = partial(log.log, level, "study %s attempt %s: %s", extra=fields)
        after_commit(session, partial(line, study, held.uid, what))


def _still_held(
    session: Session, slot: Slot, lease: timedelta, settings: Settings, token_sha256: str
) -> str | None:
    """The attempt that the slot was handed and nobody heard of, handed to it again: its uid.

    Whatever else it holds by our books is lost.
    """
    for held in slot.held:
        is_unheard = held.heard_at is None and held.state is AttemptState.RUNNING
        if is_unheard and repository.hand_out_again(
            session,
            held.attempt_id,
            now=slot.now,
            lease_expires_at=slot.now + lease,
            token_sha256=token_sha256,
        ):
            return held.uid
        lose(session, held.uid, cause="left_behind", settings=settings, expired_only=False)
    return None


def _start(session: Session, held: Held, now: datetime) -> list[AttemptMemberView]:
    """Mark a handed-out attempt's members as running, and note where each goes on from."""
    members = trials.open_members(session, held.job_id)
    ids = [member.trial_id for member in members]
    # Of earlier attempts at this job, and of earlier jobs of a trial that waited at a rung.
    begun = [member.trial_id for member in members if member.has_begun]
    newest = artifacts.newest_checkpoints(session, begun) if begun else {}
    rows: list[dict[str, int | None]] = []
    started = []
    for member in members:
        checkpoint = newest.get(member.trial_id)
        epoch, iteration = (checkpoint.epoch, checkpoint.iteration) if checkpoint else (0, 0)
        rows.append(
            {
                "trial_id": member.trial_id,
                "resume_epoch": epoch,
                "resume_iteration": iteration,
                "artifact_id": checkpoint.id if checkpoint else None,
            }
        )
        started.append(
            AttemptMemberView(
                number=member.number,
                trial_id=member.trial_id,
                state=TrialState.RUNNING,
                is_done=False,
                resume_epoch=epoch,
                resume_iteration=iteration,
                artifact=checkpoint.uid if checkpoint else None,
            )
        )
    repository.set_members(session, held.attempt_id, rows)
    jobs.start(session, held.job_id)
    if ids:
        trials.start(session, held.job_id, ids, now)
    return started


def _claim(
    session: Session,
    assigned: Assignment,
    members: Sequence[AttemptMemberView],
    settings: Settings,
    token: str,
) -> Claim:
    held, config = assigned.held, config_of(assigned.config)
    run = None
    needed: dict[int, str] = {}
    if held.kind is JobKind.TRAIN:
        assert assigned.run is not None
        whole = RunSpec.model_validate_json(assigned.run)
        wanted = {member.number for member in members}
        specs = tuple(spec for spec in whole.members if spec.trial in wanted)
        run = whole.model_copy(update={"members": specs})
        if whole.fuse > 1:
            reason = fallback.reason_to_part(session, whole, held.job_id, held.number)
            trials.note_engine_reason(session, [each.trial_id for each in members], reason)
            run = run if reason is None else run.model_copy(update={"fuse": 1})
        # One that is not there is left out: the worker fails the attempt and says which.
        named = {number for spec in specs for number in spec.snapshots}
        needed = artifacts.newest_snapshots(session, held.study_id, named) if named else {}
    return Claim(
        attempt=held.uid,
        fence=held.fence,
        token=token,
        study=assigned.study,
        lease_seconds=settings.lease_seconds,
        job=Job(
            kind=held.kind,
            task=TaskRef(path=config.task, args=config.task_args),
            digest=assigned.digest if held.kind is JobKind.TRAIN else None,
            run=run,
        ),
        resume=tuple(
            ResumePoint(
                trial=member.number,
                epoch=member.resume_epoch,
                iteration=member.resume_iteration,
                artifact=member.artifact,
            )
            for member in members
            if member.artifact is not None
        ),
        snapshots=tuple(
            Snapshot(trial=number, artifact=uid) for number, uid in sorted(needed.items())
        ),
    )


def _note_description(session: Session, study: Study, request: FinishRequest) -> None:
    if request.state is not AttemptState.SUCCEEDED:
        return
    if request.description is None:
        raise InvalidInput("description", None, "a describe job ends with one; send it")
    if study.state.has_ended:
        return
    if study.rerun_from is not None:
        rerun.take_up(session, study, request.description)
    elif study.description is None:
        description = request.description.model_dump_json()
        studies.change(
            session, study.id, description=description, digest=request.description.digest
        )
    else:
        return
    events.append(session, study.id, "study", {"state": study.state.value})
    session.refresh(study)
