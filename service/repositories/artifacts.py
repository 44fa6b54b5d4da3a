"""Queries on artifacts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.database.models import Artifact
from service.uids import is_uid

CHECKPOINT = "checkpoint"


def checkpoint(session: Session, attempt_id: int, trial_id: int, epoch: int) -> Artifact | None:
    """The checkpoint an attempt made of a trial after an epoch."""
    return session.scalar(
        select(Artifact).where(
            Artifact.attempt_id == attempt_id,
            Artifact.trial_id == trial_id,
            Artifact.kind == CHECKPOINT,
            Artifact.epoch == epoch,
        )
    )


def newest_checkpoints(session: Session, trial_ids: Sequence[int]) -> dict[int, Artifact]:
    """The furthest checkpoint of each trial that has one, of all its attempts."""
    place = func.row_number().over(
        partition_by=Artifact.trial_id, order_by=(Artifact.epoch.desc(), Artifact.id.desc())
    )
    ranked = (
        select(Artifact.id, place.label("place"))
        .where(Artifact.trial_id.in_(trial_ids), Artifact.kind == CHECKPOINT)
        .subquery()
    )
    rows = session.scalars(
        select(Artifact).join(ranked, ranked.c.id == Artifact.id).where(ranked.c.place == 1)
    )
    return {artifact.trial_id: artifact for artifact in rows}


def drop_old_checkpoints(session: Session, trial_id: int, keep: int) -> Sequence[str]:
    """Forget a trial's checkpoints but the ``keep`` furthest; the uids of the forgotten."""
    kept = (
        select(Artifact.id)
        .where(Artifact.trial_id == trial_id, Artifact.kind == CHECKPOINT)
        .order_by(Artifact.epoch.desc(), Artifact.id.desc())
        .limit(keep)
    )
    return session.scalars(
        delete(Artifact)
        .where(
            Artifact.trial_id == trial_id,
            Artifact.kind == CHECKPOINT,
            Artifact.id.not_in(kept),
        )
        .returning(Artifact.uid)
        .execution_options(synchronize_session=False)
    ).all()


def find(session: Session, study_id: int, uid: str) -> Artifact | None:
    """An artifact of a study."""
    if not is_uid(uid):
        return None
    return session.scalar(
        select(Artifact).where(Artifact.uid == uid, Artifact.study_id == study_id)
    )


def all_uids(session: Session) -> set[str]:
    """Every artifact's uid."""
    return set(session.scalars(select(Artifact.uid)))
