"""Use case: curve points and outcomes from a worker, each with the effect of once."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from recipes.curve import CurveBlock
from recipes.outcome import MemberOutcome
from recipes.trial import TrialState
from recipes.wire import PointsAnswer, PointsRequest
from service.clock import database_now, utc_now
from service.database.models import Study
from service.errors import ConflictingPoints, Fenced, InvalidInput, NotFound
from service.repositories import attempts, curves, studies, writers
from service.repositories import outcomes as repository
from service.repositories.attempts import HELD
from service.repositories.curves import CurveName
from service.repositories.outcomes import Recorded
from service.repositories.stored import description_of, scored
from service.repositories.writers import Member, Writer
from service.streams import events
from service.uids import is_uid
from service.use_cases.artifacts import forget_checkpoints

MAX_ITERATION = 2**31 - 1
MAX_METRIC = 256
MAX_SPLIT = 16
"""The columns' sizes: Postgres refuses more, SQLite would keep it."""
log = logging.getLogger(__name__)


class Sent(NamedTuple):
    """A request, and the attempt that it is for."""

    attempt: str
    request: PointsRequest


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
    try:
        (answer,) = together(session, [Sent(attempt_uid, request)])
    except ConflictingPoints as error:
        log.error("conflicting points: %s", error)
        raise
    return answer


def together(session: Session, sent: Sequence[Sent]) -> list[PointsAnswer]:
    """Store what several requests hold, in their order, as :func:`points` does each.

    Raises:
        ServiceError: The first that cannot be done; the transaction is to be rolled back.
    """
    known = writers.lock(session, {uid for uid, _ in sent if is_uid(uid)})
    session.info["failpoint"] = "points.after_commit"
    changes: dict[int, _Change] = {}
    accepted = []
    stored = _Curves(session)
    for uid, request in sent:
        writer = known.get(uid)
        if writer is None:
            raise NotFound("attempt", uid)
        if writer.fence != request.fence or writer.state not in HELD:
            raise Fenced(uid)
        _check(request, writer.members)
    stored.look_up([(known[uid], request) for uid, request in sent])
    for uid, request in sent:
        writer = known[uid]
        accepted.append(stored.add(uid, writer, request))
        change = changes.setdefault(writer.study_id, _Change())
        change.accepted += accepted[-1]
        for outcome in request.outcomes:  # of two for one trial the first stays
            member = writer.members[outcome.trial]
            if not member.is_done:
                change.outcomes.setdefault(member.trial_id, outcome)
    now = utc_now()
    for study_id, change in sorted(changes.items()):
        _tell(session, study_id, change, now)
    for writer in known.values():
        if writer.heard_at is None:
            # From now on the attempt has begun; its lease is the heartbeat's to renew.
            attempts.heard(session, writer.attempt_id, database_now(session))
    return [PointsAnswer(accepted=number) for number in accepted]


@dataclass
class _Change:
    """What requests change of one study: points, and outcomes by their trials' keys."""

    accepted: int = 0
    outcomes: dict[int, MemberOutcome] = field(default_factory=dict)


def _tell(session: Session, study_id: int, change: _Change, now: datetime) -> None:
    if change.outcomes:
        record(session, studies.lock(session, study_id), change.outcomes, now)
    if change.accepted:
        events.append(session, study_id, "points", {})
    if change.outcomes:
        numbers = sorted(outcome.trial for outcome in change.outcomes.values())
        events.append(session, study_id, "trial", {"numbers": numbers})
        events.publish_on_commit(session, events.CONDUCTOR)


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
        rows[trial_id] = Recorded(outcome, None if best is None else best.value)
    repository.record(session, rows, now)
    ended = [trial_id for trial_id, each in outcomes.items() if each.state.has_ended]
    forget_checkpoints(session, ended)


def _check(request: PointsRequest, members: Mapping[int, Member]) -> None:
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
        for name, text, longest in (
            ("metric", block.metric, MAX_METRIC),
            ("split", block.split, MAX_SPLIT),
        ):
            if not 1 <= len(text) <= longest or "\x00" in text:
                raise InvalidInput(
                    name, text[:longest], f"give 1 to {longest} characters, none of them NUL"
                )
        if block.iterations and block.iterations[-1] > MAX_ITERATION:
            raise InvalidInput(
                "iterations", block.iterations[-1], f"iterations end at {MAX_ITERATION}"
            )


class _Curves:
    """The curves that requests of one transaction write to, looked up for all of them at once.

    Args:
        session: A write session; the studies' rows are held.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys: dict[int, dict[CurveName, int]] = {}

    def look_up(self, sent: Iterable[tuple[Writer, PointsRequest]]) -> None:
        """Find the keys of every curve that is named."""
        named = {
            (writer.attempt_id, writer.members[block.trial].trial_id)
            for writer, request in sent
            for block in request.blocks
        }
        if named:
            attempt_ids, trial_ids = map(set, zip(*named, strict=True))
            self._keys = curves.known(self._session, attempt_ids, trial_ids)

    def add(self, uid: str, writer: Writer, request: PointsRequest) -> int:
        """Write a request's points; how many of them are new. Raises ConflictingPoints."""
        merged = _merged(uid, writer.members, request.blocks)
        if not merged:
            return 0
        keys = self._keys[writer.attempt_id]
        if not merged.keys() <= keys.keys():
            keys |= curves.add_curves(self._session, writer.attempt_id, merged)
        wanted = {keys[name]: values for name, values in merged.items()}
        accepted = curves.add_points(self._session, wanted)
        if accepted < sum(map(len, wanted.values())):
            stored = curves.stored_points(self._session, wanted)
            for name, values in merged.items():
                there = stored[keys[name]]
                for iteration, value in values.items():
                    if not _same(there[iteration], value):
                        raise _conflict(uid, name, iteration, there[iteration], value)
        return accepted


def _merged(
    uid: str, members: Mapping[int, Member], blocks: Iterable[CurveBlock]
) -> dict[CurveName, dict[int, float]]:
    """Values by iteration, by curve. Raises ConflictingPoints where two blocks disagree."""
    merged: dict[CurveName, dict[int, float]] = {}
    for block in blocks:
        name = CurveName(members[block.trial].trial_id, block.metric, block.split)
        values = dict(zip(block.iterations, block.values, strict=True))
        curve = merged.setdefault(name, values)
        if curve is not values:
            for iteration, value in values.items():
                if not _same(curve.setdefault(iteration, value), value):
                    raise _conflict(uid, name, iteration, curve[iteration], value)
    return merged


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _conflict(
    attempt_uid: str, name: CurveName, iteration: int, stored: float, sent: float
) -> ConflictingPoints:
    return ConflictingPoints(
        f"{name.metric}/{name.split} at iteration {iteration} is {stored!r}, not {sent!r}:"
        f" a point is never changed (attempt {attempt_uid})"
    )
