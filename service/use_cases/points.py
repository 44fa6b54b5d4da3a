"""Use case: curve points and outcomes from a worker, each with the effect of once."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from recipes.curve import CurveBlock
from recipes.outcome import MemberOutcome
from recipes.trial import TrialState
from recipes.wire import PointsAnswer, PointsRequest
from service.clock import database_now, utc_now
from service.database.models import Study
from service.errors import ConflictingPoints, Fenced, InvalidInput
from service.repositories import attempts, curves, studies, trials
from service.repositories.attempts import HELD
from service.repositories.curves import CurveName
from service.repositories.stored import description_of, scored
from service.streams import events
from service.use_cases.artifacts import forget_checkpoints

MAX_ITERATION = 2**31 - 1
MAX_METRIC = 256
MAX_SPLIT = 16
"""The columns' sizes: Postgres refuses more, SQLite would keep it."""
log = logging.getLogger(__name__)


class _Member(NamedTuple):
    trial_id: int
    is_done: bool


def points(session: Session, attempt_uid: str, request: PointsRequest) -> PointsAnswer:
    """Store curve points and outcomes of an attempt's members.

    The first outcome of a member and the first value of a point stay. Sending either again
    changes nothing; a point with another value is refused with everything sent beside it.
    An outcome that is ``waiting`` pauses its trial at a rung: a later job may take it on.

    Raises:
        NotFound: There is no such attempt.
        Fenced: It is not held under this fence (any more).
        InvalidInput: A trial is not one of its members; an outcome is no end and no pause.
        ConflictingPoints: Another value is stored.
    """
    study = studies.lock_of_attempt(session, attempt_uid)
    held = attempts.get(session, attempt_uid)
    if held.fence != request.fence or held.state not in HELD:
        raise Fenced(attempt_uid)
    session.info["failpoint"] = "points.after_commit"
    members = {
        member.number: _Member(member.trial_id, member.is_done)
        for member in attempts.members(session, held.attempt_id)
    }
    _check(request, members)
    accepted = _store(session, attempt_uid, held.attempt_id, request.blocks, members)
    fresh = {
        members[outcome.trial].trial_id: outcome
        for outcome in reversed(request.outcomes)  # of two for one trial the first stays
        if not members[outcome.trial].is_done
    }
    record(session, study, fresh, utc_now())
    if held.heard_at is None:
        # From now on the attempt has begun; its lease is the heartbeat's to renew.
        attempts.heard(session, held.attempt_id, database_now(session))
    if accepted:
        events.append(session, study.id, "points", {})
    if fresh:
        numbers = sorted(outcome.trial for outcome in fresh.values())
        events.append(session, study.id, "trial", {"numbers": numbers})
        events.publish_on_commit(session, events.CONDUCTOR)
    return PointsAnswer(accepted=accepted)


def record(
    session: Session, study: Study, outcomes: Mapping[int, MemberOutcome], now: datetime
) -> None:
    """Write outcomes of trials under way, by their keys. The study's row is held.

    What was kept to go on from goes with those that ended.
    """
    description = None if study.description is None else description_of(study.description)
    rows = {}
    for trial_id, outcome in outcomes.items():
        best = None if description is None else scored(outcome, description)
        rows[trial_id] = trials.Recorded(outcome, None if best is None else best.value)
    trials.record(session, rows, now)
    ended = [trial_id for trial_id, each in outcomes.items() if each.state.has_ended]
    forget_checkpoints(session, ended)


def _check(request: PointsRequest, members: Mapping[int, _Member]) -> None:
    named = [*(b.trial for b in request.blocks), *(o.trial for o in request.outcomes)]
    for number in named:
        if number not in members:
            known = ", ".join(map(str, members)) or "none"
            raise InvalidInput(
                "trial", number, f"the attempt's members are {known}; write for those only"
            )
    for outcome in request.outcomes:
        if outcome.state is TrialState.RUNNING:
            raise InvalidInput(
                "state",
                outcome.state.value,
                "an outcome is an end or a pause; send complete, failed or waiting",
            )
        if (outcome.cause is None) != (outcome.state is TrialState.WAITING):
            cause = None if outcome.cause is None else outcome.cause.value
            raise InvalidInput("cause", cause, "give an end its cause, and a pause none")
    for block in request.blocks:
        for field, text, longest in (
            ("metric", block.metric, MAX_METRIC),
            ("split", block.split, MAX_SPLIT),
        ):
            if not 1 <= len(text) <= longest or "\x00" in text:
                raise InvalidInput(
                    field, text[:longest], f"give 1 to {longest} characters, none of them NUL"
                )
        if block.iterations and block.iterations[-1] > MAX_ITERATION:
            raise InvalidInput(
                "iterations", block.iterations[-1], f"iterations end at {MAX_ITERATION}"
            )


def _store(
    session: Session,
    attempt_uid: str,
    attempt_id: int,
    blocks: tuple[CurveBlock, ...],
    members: Mapping[int, _Member],
) -> int:
    merged: dict[CurveName, dict[int, float]] = {}
    for block in blocks:
        name = CurveName(members[block.trial].trial_id, block.metric, block.split)
        curve = merged.setdefault(name, {})
        for iteration, value in zip(block.iterations, block.values, strict=True):
            if not _same(curve.setdefault(iteration, value), value):
                raise _conflict(attempt_uid, name, iteration, curve[iteration], value)
    if not merged:
        return 0
    keys = curves.add_curves(session, attempt_id, merged)
    sent = {keys[name]: values for name, values in merged.items()}
    accepted = curves.add_points(session, sent)
    if accepted < sum(map(len, sent.values())):
        stored = curves.stored_points(session, sent)
        for name, values in merged.items():
            for iteration, value in values.items():
                there = stored[keys[name]][iteration]
                if not _same(there, value):
                    raise _conflict(attempt_uid, name, iteration, there, value)
    return accepted


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _conflict(
    attempt_uid: str, name: CurveName, iteration: int, stored: float, sent: float
) -> ConflictingPoints:
    message = (
        f"{name.metric}/{name.split} at iteration {iteration} is {stored!r}, not {sent!r}:"
        f" a point is never changed (attempt {attempt_uid})"
    )
    log.error("conflicting points: %s", message)
    return ConflictingPoints(message)
