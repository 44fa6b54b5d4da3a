"""A back-up of a SQLite installation while it runs: the database and the artifacts it names.

The copy of the database is one moment of it, by SQLite's own online backup. Files come after
it. One that the copy names may be gone by then (a newer checkpoint took its place): then the
database is copied anew, and only what has come since is left to fetch.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import make_url

from service.errors import Conflict, DataDirError, NotFound
from service.settings import Settings

TRIES = 10
"""A try after the first copies only the files that came since: most are done in one or two."""
ARTIFACTS = "artifacts"


def back_up(settings: Settings, target: Path) -> int:
    """Copy the database and its artifacts into a new folder.

    Restoring is copying the folder's content into an empty data directory.

    Args:
        settings: Of the installation; its service may run.
        target: The folder to make. Files in it are links where it is on the same file system:
            artifacts are never changed, so a link is as good as a copy.

    Returns:
        How many artifacts the back-up holds.

    Raises:
        NotFound: There is no database to copy.
        Conflict: It is on Postgres, or artifacts came and went faster than they were copied.
        DataDirError: The folder cannot be made, or is there already.
    """
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite" or url.database is None:
        raise Conflict("the database is on Postgres: take its own back-up with pg_dump")
    source = Path(url.database)
    if not source.is_file():
        raise NotFound("database", source)
    try:
        (target / ARTIFACTS).mkdir(parents=True, mode=0o700)
        target.chmod(0o700)
    except OSError as error:
        raise DataDirError(
            f"{target} cannot be made ({error.strerror}); name a folder that is not there yet"
        ) from error
    copy = target / "sevenstep.db"
    for _ in range(TRIES):
        _copy_database(source, copy)
        wanted = _artifacts_of(copy)
        if all(_fetch(settings.artifacts_dir / uid, target / ARTIFACTS / uid) for uid in wanted):
            for stray in (target / ARTIFACTS).iterdir():
                if stray.name not in wanted:
                    stray.unlink()
            return len(wanted)
    raise Conflict(
        f"artifacts came and went faster than they could be copied to {target}; name a folder on"
        f" the file system of {settings.data_dir}, where copying is linking, or pause the studies"
    )


def _copy_database(source: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    with (
        closing(sqlite3.connect(source)) as reading,
        closing(sqlite3.connect(copy)) as writing,
    ):
        reading.execute("PRAGMA query_only=ON")
        reading.backup(writing)


def _artifacts_of(copy: Path) -> set[str]:
    with closing(sqlite3.connect(copy)) as reading:
        return {str(uid) for (uid,) in reading.execute("SELECT uid FROM artifact")}


def _fetch(source: Path, target: Path) -> bool:
    """Link or copy a file, unless it is there; False when it is gone."""
    if target.exists():
        return True
    try:
        try:
            os.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            shutil.copy2(source, target)
    except FileNotFoundError:
        return False
    return True
