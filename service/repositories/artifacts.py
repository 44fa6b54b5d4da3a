"""Queries on artifacts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, bindparam, delete, func, select
from sqlalchemy.orm import Session

from recipes.wire import ArtifactKind
from service.database.models import Artifact, Trial
from service.uids import is_uid


def of_attempt(
    session: Session, attempt_id: int, trial_id: int, kind: ArtifactKind, epoch: int
) -> Artifact | None:
    """What an attempt left of a trial, of one kind after one epoch."""
    return session.scalar(
        select(Artifact).where(
            Artifact.attempt_id == attempt_id,
            Artifact.trial_id == trial_id,
            Artifact.kind == kind,
            Artifact.epoch == epoch,
        )
    )


def newest_checkpoints(session: Session, trial_ids: Sequence[int]) -> dict[int, Artifact]:
    """The furthest checkpoint of each trial that has one, of all its attempts."""
    rows = session.scalars(_NEWEST_CHECKPOINTS, {"of_trials": [*trial_ids]})
    return {artifact.trial_id: artifact for artifact in rows}


# Made once: with each job, making it took longer than SQLite's part.
_RANKED = (
    select(
        Artifact.id,
        func.row_number()
        .over(partition_by=Artifact.trial_id, order_by=(Artifact.epoch.desc(), Artifact.id.desc()))
        .label("place"),
    )
    .where(
        Artifact.trial_id.in_(bindparam("of_trials", expanding=True)),
        Artifact.kind == ArtifactKind.CHECKPOINT,
    )
    .subquery()
)
_NEWEST_CHECKPOINTS = (
    select(Artifact).join(_RANKED, _RANKED.c.id == Artifact.id).where(_RANKED.c.place == 1)
)


def newest_snapshots(session: Session, study_id: int, numbers: Collection[int]) -> dict[int, str]:
    """The uid of the last snapshot of each trial that has one, by trial number."""
    rows = session.execute(
        select(Trial.number, Artifact.uid)
        .join(Artifact, Artifact.trial_id == Trial.id)
        .where(
            Trial.study_id == study_id,
            Trial.number.in_(numbers),
            Artifact.kind == ArtifactKind.SNAPSHOT,
        )
        .order_by(Artifact.id)
    )
    return dict(rows.all())


def drop_old_checkpoints(session: Session, trial_id: int, keep: int) -> Sequence[str]:
    """Forget a trial's checkpoints but the ``keep`` furthest; the uids of the forgotten."""
    kept = (
        select(Artifact.id)
        .where(Artifact.trial_id == trial_id, Artifact.kind == ArtifactKind.CHECKPOINT)
        .order_by(Artifact.epoch.desc(), Artifact.id.desc())
        .limit(keep)
    )
    return _drop(
        session,
        Artifact.trial_id == trial_id,
        Artifact.kind == ArtifactKind.CHECKPOINT,
        Artifact.id.not_in(kept),
    )


def drop_checkpoints(session: Session, trial_ids: Collection[int]) -> Sequence[str]:
    """Forget all checkpoints of some trials; the uids of the forgotten."""
    return _drop(
        session, Artifact.trial_id.in_(trial_ids), Artifact.kind == ArtifactKind.CHECKPOINT
    )


def drop_other_snapshots(session: Session, trial_id: int, keep: int) -> Sequence[str]:
    """Forget a trial's snapshots but the one with this key; the uids of the forgotten."""
    return _drop(
        session,
        Artifact.trial_id == trial_id,
        Artifact.kind == ArtifactKind.SNAPSHOT,
        Artifact.id != keep,
    )


def _drop(session: Session, *which: ColumnElement[bool]) -> Sequence[str]:
    return session.scalars(
        delete(Artifact)
        .where(*which)
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


def is_named(session: Session, uid: str) -> bool:
    """Whether there is an artifact of this uid."""
    return session.scalar(select(Artifact.id).where(Artifact.uid == uid)) is not None


def all_uids(session: Session) -> set[str]:
    """Every artifact's uid."""
    return set(session.scalars(select(Artifact.uid)))
