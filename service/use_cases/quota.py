"""How much workers may leave: a study's share, and all studies' together."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.errors import NoRoom
from service.repositories.counts import artifact_bytes, hold_artifact_bytes
from service.settings import Settings

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says of a full disk, a full quota of the file system's, and a file that has
grown as large as this process may write."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Most bytes that artifacts may hold; None: no limit."""

    study_bytes: int | None = None
    all_bytes: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Quota:
        """As the settings have it."""
        return cls(settings.max_study_artifacts_bytes, settings.max_all_artifacts_bytes)

    def check(self, session: Session, study_id: int) -> None:
        """Make sure that what is stored by now fits.

        The whole is summed by one transaction at a time: two studies' uploads, each of which
        sees nothing of the other's before its commit, would both find room for the last of it.

        Args:
            session: A write session, which holds the study's row.
            study_id: The study.

        Raises:
            NoRoom: It does not; the caller's transaction must not be committed.
        """
        if self.all_bytes is not None:
            hold_artifact_bytes(session)
        self._compare(session, study_id)

    def check_ahead(self, session: Session, study_id: int, *, trial_id: int, size: int) -> None:
        """Refuse what will not fit, before its bytes are taken in.

        What is stored of the same trial is left out, for the new file may take its place: so
        nothing is refused here that :meth:`check` would let pass.

        Args:
            session: Any session.
            study_id: The study's row.
            trial_id: The trial's.
            size: Of the file to come, in bytes.

        Raises:
            NoRoom: It will not fit.
        """
        self._compare(session, study_id, besides_trial=trial_id, more=size)

    def _compare(
        self, session: Session, study_id: int, *, besides_trial: int | None = None, more: int = 0
    ) -> None:
        cure = (
            "delete studies that are not needed any more, or let the artifacts of ended ones go"
            " (SEVENSTEP_KEEP_ARTIFACTS_DAYS), or raise"
        )

        def held(study: int | None) -> int:
            return artifact_bytes(session, study, besides_trial=besides_trial) + more

        if self.study_bytes is not None and held(study_id) > self.study_bytes:
            raise NoRoom(
                f"this study's artifacts may hold {self.study_bytes} bytes together; raise"
                " SEVENSTEP_MAX_STUDY_ARTIFACTS_BYTES"
            )
        if self.all_bytes is not None and held(None) > self.all_bytes:
            raise NoRoom(
                f"all artifacts may hold {self.all_bytes} bytes together; {cure}"
                " SEVENSTEP_MAX_ALL_ARTIFACTS_BYTES"
            )


@contextmanager
def room_for_files() -> Iterator[None]:
    """Tell a full disk from other trouble with a file.

    Raises:
        NoRoom: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoom(
            f"the service's disk takes no more ({error.strerror}); make room in its data"
            " directory, or delete studies that are not needed any more"
        ) from error
