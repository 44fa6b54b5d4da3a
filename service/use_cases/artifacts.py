"""Files that workers leave: their bytes in one folder, their names in the database.

Bytes come first: written to a temporary file, flushed to the disk, renamed, and only then
named in a row. So a row always has its bytes; bytes without a row are swept up.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Collection, Set
from functools import partial
from io import BufferedWriter
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from recipes.failpoint import failpoint
from recipes.wire import ArtifactKind, CheckpointAnswer
from service.clock import database_now, utc_now
from service.database.engine import Database, after_commit, forget_files
from service.database.models import Artifact
from service.errors import Conflict, Fenced, InvalidInput, NotFound
from service.repositories import artifacts as repository
from service.repositories import attempts, studies
from service.repositories.attempts import HELD, AttemptMemberView, Held
from service.uids import is_uid, new_uid
from service.use_cases.quota import Quota, room_for_files

log = logging.getLogger(__name__)

KEPT_CHECKPOINTS = 2
"""Checkpoints kept of a trial: the last, and the one before it."""
MAX_COUNT = 2**31 - 1
UNLIMITED = Quota()
UNKNOWN = "unknown"
"""Stands for an installation that kept files before anybody wrote down whose they are."""


class StoredFile(NamedTuple):
    """A file in the store. ``sha256`` is in hex, ``size`` in bytes."""

    uid: str
    sha256: str
    size: int


class UploadAborted(Exception):
    """The upload was given up while a part of it was on its way to the disk."""


class Upload:
    """A file on its way in. Give it chunks, then ``finish`` or ``abort``.

    Any thread may call any method: whoever waits for one may be cancelled and abort the upload
    while that one is still at work. Nothing is on the disk before the first chunk.
    """

    def __init__(self, root: Path) -> None:
        self._uid = new_uid()
        self._target = root / self._uid
        self._temporary = root / f".{self._uid}.part"
        self._file: BufferedWriter | None = None
        self._hash = hashlib.sha256()
        self._lock = threading.Lock()
        self._is_finished = self._is_aborted = False
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Take in a part of the content. Raises NoRoom, and UploadAborted."""
        with self._lock, room_for_files():
            self._open().write(chunk)
            self._hash.update(chunk)
            self.size += len(chunk)

    def finish(self) -> StoredFile:
        """Make the file whole on the disk. Raises NoRoom, and UploadAborted.

        From here on ``abort`` leaves it alone: it is for the caller to name or to delete.
        """
        with self._lock:
            with room_for_files():
                file = self._open()
                file.flush()
                os.fsync(file.fileno())
                file.close()
                self._temporary.rename(self._target)
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._is_finished = True
            return StoredFile(self._uid, self._hash.hexdigest(), self.size)

    def abort(self) -> None:
        """Leave nothing of an upload that is not finished. Waits for what is being written."""
        with self._lock:
            if self._is_finished:
                return
            self._is_aborted = True
            if self._file is not None:
                with contextlib.suppress(
                    OSError
                ):  # a full disk: what is in the buffer has no place
                    self._file.close()
            self._temporary.unlink(missing_ok=True)
            self._target.unlink(missing_ok=True)

    def _open(self) -> BufferedWriter:
        if self._is_aborted:
            raise UploadAborted
        if self._file is None:
            self._file = self._temporary.open("xb")
        return self._file


class ArtifactStore:
    """The folder of the artifacts' bytes. File names are uids of our own making.

    A file beside it, ``artifacts.of``, holds the installations that kept files here, one a line.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root = root
        self.holders_file = root.with_name(f"{root.name}.of")

    def upload(self) -> Upload:
        """Begin to store a file."""
        return Upload(self._root)

    def put(self, content: bytes) -> StoredFile:
        """Store a file whose content is at hand."""
        upload = self.upload()
        upload.write(content)
        return upload.finish()

    def path(self, uid: str) -> Path:
        """Where a file lies. Raises NotFound."""
        if is_uid(uid) and (path := self._root / uid).is_file():
            return path
        raise NotFound("artifact", uid)

    def delete(self, uid: str) -> None:
        """Remove a file; one that is not there is no error."""
        assert is_uid(uid)
        (self._root / uid).unlink(missing_ok=True)

    def hold(self, installation: str, known: Set[str]) -> bool:
        """Write down that an installation keeps files here; whether no other one ever did.

        Another one's files are named in its own database: only who is alone may sweep.
        Where nothing was written down yet, files of which this database names none are taken
        for another one's.

        Args:
            installation: As ``service.use_cases.installation`` has it.
            known: The names in its database.
        """
        holders = self._holders()
        if installation not in holders:
            is_another_ones = not holders and self._has_files_but_none_of(known)
            newcomers = (UNKNOWN, installation) if is_another_ones else (installation,)
            with self.holders_file.open("a") as file:
                file.writelines(f"{each}\n" for each in newcomers)
        return self._holders() == {installation}

    def _has_files_but_none_of(self, known: Set[str]) -> bool:
        # No row ever names a half-written one, which begins with a dot.
        names = {entry.name for entry in self._root.iterdir() if not entry.name.startswith(".")}
        return bool(names) and names.isdisjoint(known)

    def _holders(self) -> set[str]:
        try:
            return set(self.holders_file.read_text().split())
        except FileNotFoundError:
            return set()

    def sweep(self, known: Set[str], *, older_than_seconds: float = 0.0) -> int:
        """Remove files that no row names, half-written ones too; how many.

        For the start of the service, before it takes uploads, and where :meth:`hold` allows it.

        Args:
            known: The names in the database.
            older_than_seconds: Spares younger files, where other processes take uploads too.
        """
        latest = time.time() - older_than_seconds
        num_removed = 0
        for entry in self._root.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                if entry.name not in known and entry.stat().st_mtime <= latest:
                    entry.unlink()
                    num_removed += 1
        return num_removed


def check_sender(
    session: Session,
    attempt_uid: str,
    *,
    fence: int,
    trial: int,
    size: int | None = None,
    quota: Quota = UNLIMITED,
) -> None:
    """Refuse a file that could not be named, before its bytes are taken in.

    :func:`add` asks again, when they are there: the attempt may have ended meanwhile.

    Args:
        session: Any session.
        attempt_uid: Who wants to send it.
        fence: Under which it holds the attempt.
        trial: The member's number.
        size: In bytes, where the sender announced it.
        quota: How much may be kept.

    Raises:
        NotFound: There is no such attempt.
        Fenced: It is not held under this fence (any more).
        InvalidInput: The trial is not a member.
        NoRoom: It would not fit in the quota, whatever of its trial's it took the place of.
    """
    study_id = studies.id_of_attempt(session, attempt_uid)
    member = _member(session, attempts.get(session, attempt_uid), fence=fence, trial=trial)
    if size is not None:
        quota.check_ahead(session, study_id, trial_id=member.trial_id, size=size)


def add(
    session: Session,
    attempt_uid: str,
    *,
    fence: int,
    trial: int,
    kind: ArtifactKind = ArtifactKind.CHECKPOINT,
    epoch: int,
    iteration: int,
    file: StoredFile,
    store: ArtifactStore,
    quota: Quota = UNLIMITED,
) -> CheckpointAnswer:
    """Name a stored file as a member's checkpoint, or its best epoch's snapshot.

    Sending it again answers the first one's name, and the second file goes. Of a trial the
    last two checkpoints are kept while it goes on, and its last snapshot for good. The
    caller gives ``file`` to :func:`discard` when this or the commit raises.

    Args:
        session: A write session.
        attempt_uid: Who sends it.
        fence: Under which it holds the attempt.
        trial: The member's number.
        kind: What the file is.
        epoch: Whole epochs behind the checkpoint; the epoch whose weights the snapshot holds.
        iteration: The same in optimiser steps.
        file: Stored already.
        store: Where.
        quota: How much may be kept, this file counted in and those it replaces left out.

    Raises:
        NotFound: There is no such attempt.
        Fenced: It is not held under this fence (any more).
        InvalidInput: The trial is not a member, or a count is out of range.
        Conflict: Another content is stored for this epoch.
        NoRoom: It does not fit in the quota.
    """
    study = studies.lock_of_attempt(session, attempt_uid)
    held = attempts.get(session, attempt_uid)
    member = _member(session, held, fence=fence, trial=trial)
    failpoint(f"{kind}.before_commit")
    session.info["failpoint"] = f"{kind}.after_commit"
    for field, value in (("epoch", epoch), ("iteration", iteration)):
        if not 1 <= value <= MAX_COUNT:
            raise InvalidInput(field, value, f"give a whole number from 1 to {MAX_COUNT}")
    if held.heard_at is None:
        attempts.heard(session, held.attempt_id, database_now(session))
    there = repository.of_attempt(session, held.attempt_id, member.trial_id, kind, epoch)
    if there is not None:
        if there.sha256 != file.sha256:
            raise Conflict(f"another {kind} of trial {trial}, epoch {epoch}, is stored")
        after_commit(session, partial(store.delete, file.uid))
        return CheckpointAnswer(artifact=there.uid, sha256=there.sha256)
    if kind == ArtifactKind.CHECKPOINT and member.state.has_ended:
        # It came late: nothing goes on from it any more.
        after_commit(session, partial(store.delete, file.uid))
        return CheckpointAnswer(artifact=file.uid, sha256=file.sha256)
    artifact = Artifact(
        uid=file.uid,
        study_id=study.id,
        attempt_id=held.attempt_id,
        trial_id=member.trial_id,
        kind=kind,
        epoch=epoch,
        iteration=iteration,
        sha256=file.sha256,
        size=file.size,
        created_at=utc_now(),
    )
    session.add(artifact)
    session.flush()
    if kind == ArtifactKind.CHECKPOINT:
        dropped = repository.drop_old_checkpoints(session, member.trial_id, KEPT_CHECKPOINTS)
    else:
        dropped = repository.drop_other_snapshots(session, member.trial_id, artifact.id)
    quota.check(session, study.id)
    for uid in dropped:
        after_commit(session, partial(store.delete, uid))
    return CheckpointAnswer(artifact=file.uid, sha256=file.sha256)


def _member(session: Session, held: Held, *, fence: int, trial: int) -> AttemptMemberView:
    """The member that a file is of. Raises Fenced, InvalidInput."""
    if held.fence != fence or held.state not in HELD:
        raise Fenced(held.uid)
    for member in attempts.members(session, held.attempt_id):
        if member.number == trial:
            return member
    raise InvalidInput("trial", trial, "give one of the attempt's members")


def discard(database: Database, store: ArtifactStore, uid: str) -> None:
    """Remove a file whose naming failed, unless a row names it after all.

    An error does not say that nothing was committed. Where the database cannot be asked,
    the file stays: one that no row names is swept up at the service's next start.
    """
    try:
        with database.read() as session:
            is_named = repository.is_named(session, uid)
    except SQLAlchemyError:
        log.warning("an artifact's file stays, for the database does not say if it is named")
        return
    if not is_named:
        store.delete(uid)


def forget_checkpoints(session: Session, trial_ids: Collection[int]) -> None:
    """Remove the checkpoints of trials that will not go on from them."""
    if trial_ids:
        forget_files(session, repository.drop_checkpoints(session, trial_ids))


def find(session: Session, attempt_uid: str, artifact_uid: str) -> StoredFile:
    """A file of the attempt's study. Raises NotFound."""
    study_id = studies.id_of_attempt(session, attempt_uid)
    artifact = repository.find(session, study_id, artifact_uid)
    if artifact is None:
        raise NotFound("artifact", artifact_uid)
    return StoredFile(artifact.uid, artifact.sha256, artifact.size)
