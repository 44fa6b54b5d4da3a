"""Queries on curves and their points."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from recipes.curve import Curve as CurveValue
from recipes.curve import CurveKey
from service.database.models import Attempt, AttemptMember, Curve, CurvePoint
from service.database.statements import insert_new_points
from service.database.types import NumberKind, from_columns, to_columns


class CurveName(NamedTuple):
    """A curve of an attempt."""

    trial_id: int
    metric: str
    split: str


Points = Mapping[int, float]
"""Values by iteration."""


def known(
    session: Session, attempt_ids: Collection[int], trial_ids: Collection[int]
) -> dict[int, dict[CurveName, int]]:
    """The keys of what there is of some attempts' curves of some trials, by attempt."""
    rows = session.execute(_KNOWN, {"attempts": [*attempt_ids], "trials": [*trial_ids]})
    found: dict[int, dict[CurveName, int]] = {attempt_id: {} for attempt_id in attempt_ids}
    for attempt_id, trial_id, metric, split, key in rows:
        found[attempt_id][CurveName(trial_id, metric, split)] = key
    return found


# Made once: with each batch of points, making it took longer than SQLite's part.
_KNOWN = select(Curve.attempt_id, Curve.trial_id, Curve.metric, Curve.split, Curve.id).where(
    Curve.attempt_id.in_(bindparam("attempts", expanding=True)),
    Curve.trial_id.in_(bindparam("trials", expanding=True)),
)


def add_curves(
    session: Session, attempt_id: int, names: Iterable[CurveName]
) -> dict[CurveName, int]:
    """The keys of an attempt's curves, those not there yet made. Its study's row is held."""
    wanted = set(names)
    trial_ids = {name.trial_id for name in wanted}
    found = known(session, (attempt_id,), trial_ids)[attempt_id]
    missing = sorted(wanted - found.keys())
    if missing:
        session.execute(
            insert(Curve), [{"attempt_id": attempt_id, **name._asdict()} for name in missing]
        )
        found = known(session, (attempt_id,), trial_ids)[attempt_id]
    return {name: found[name] for name in wanted}


def add_points(session: Session, points: Mapping[int, Points]) -> int:
    """Write the points that are not there yet, by curve; how many those were."""
    keys: list[int] = []
    iterations: list[int] = []
    numbers: list[float] = []
    for curve_id, values in points.items():
        keys += repeat(curve_id, len(values))
        iterations += values.keys()
        numbers += values.values()
    if not keys:
        return 0
    stored: Sequence[float | None]
    kinds: Sequence[str]
    if all(map(math.isfinite, numbers)):  # as nearly always
        stored, kinds = numbers, [NumberKind.FINITE.value] * len(numbers)
    else:
        pairs = [to_columns(number) for number in numbers]
        stored, kinds = [value for value, _ in pairs], [kind.value for _, kind in pairs]
    return insert_new_points(session, keys, iterations, stored, kinds)


def stored_points(session: Session, points: Mapping[int, Points]) -> dict[int, dict[int, float]]:
    """What is stored between the first and the last iteration of these points, by curve."""
    iterations = [iteration for values in points.values() for iteration in values]
    found: dict[int, dict[int, float]] = defaultdict(dict)
    rows = session.execute(
        select(CurvePoint.curve_id, CurvePoint.iteration, CurvePoint.value, CurvePoint.kind).where(
            CurvePoint.curve_id.in_(points.keys()),
            CurvePoint.iteration.between(min(iterations), max(iterations)),
        )
    )
    for curve_id, iteration, value, kind in rows:
        found[curve_id][iteration] = from_columns(value, kind)
    return found


def effective(session: Session, trial_ids: Sequence[int]) -> dict[int, dict[CurveKey, CurveValue]]:
    """Each trial's curves as if nothing had ever interrupted it.

    An attempt's points count up to the iteration from which the next one went on, of the
    same job or a later one; a later attempt's point stands for an earlier one's of the same
    iteration.
    """
    limits = _last_counted_iterations(session, trial_ids)
    rows = session.execute(
        select(
            Curve.trial_id,
            Curve.attempt_id,
            Curve.metric,
            Curve.split,
            CurvePoint.iteration,
            CurvePoint.value,
            CurvePoint.kind,
        )
        .join(Curve, Curve.id == CurvePoint.curve_id)
        .join(Attempt, Attempt.id == Curve.attempt_id)
        .where(Curve.trial_id.in_(trial_ids))
        .order_by(Curve.trial_id, Attempt.id, Curve.id, CurvePoint.iteration)
    )
    joined: dict[int, dict[CurveKey, dict[int, float]]] = {}
    for trial_id, attempt_id, metric, split, iteration, value, kind in rows:
        limit = limits.get((trial_id, attempt_id))
        if limit is not None and iteration > limit:
            continue
        points = joined.setdefault(trial_id, {}).setdefault((metric, split), {})
        points[iteration] = from_columns(value, kind)
    return {
        trial_id: {key: _curve(points) for key, points in curves.items()}
        for trial_id, curves in joined.items()
    }


def _curve(points: Mapping[int, float]) -> CurveValue:
    iterations = tuple(sorted(points))
    return CurveValue(iterations, tuple(points[iteration] for iteration in iterations))


def _last_counted_iterations(
    session: Session, trial_ids: Sequence[int]
) -> dict[tuple[int, int], int]:
    """The last iteration that counts of each (trial, attempt) that a later one followed.

    An attempt that began anew leaves nothing (-1) of those before it.
    """
    rows = session.execute(
        select(AttemptMember.trial_id, AttemptMember.attempt_id, AttemptMember.resume_iteration)
        .where(AttemptMember.trial_id.in_(trial_ids))
        # Attempts are numbered anew in each job; their keys rise through all of them.
        .order_by(AttemptMember.trial_id, AttemptMember.attempt_id.desc())
    )
    limits: dict[tuple[int, int], int] = {}
    lowest: dict[int, int] = {}
    for trial_id, attempt_id, resume_iteration in rows:
        if trial_id in lowest:
            limits[trial_id, attempt_id] = lowest[trial_id]
        start = resume_iteration or -1
        lowest[trial_id] = min(lowest.get(trial_id, start), start)
    return limits
