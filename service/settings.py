"""The service's settings: ``SEVENSTEP_*`` in the environment, or a command's options."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import DataDirError


def default_data_dir() -> Path:
    """Where data is kept when nobody says: ``$XDG_DATA_HOME/sevenstep`` or ``~/.local/share``.

    Raises:
        DataDirError: This user has no home directory at all.
    """
    base = os.environ.get("XDG_DATA_HOME")
    if base:
        return Path(base) / "sevenstep"
    home = os.environ.get("HOME")
    if not home:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            raise DataDirError(
                "this user has no home directory; set SEVENSTEP_DATA_DIR to a folder for the data"
            ) from None
    return Path(home) / ".local" / "share" / "sevenstep"


class Settings(BaseSettings):
    """Everything about the service that can be set.

    Each field is read from ``SEVENSTEP_<FIELD>``; ``SEVENSTEP_DATABASE_URL`` for
    ``database_url``. Lists are JSON: ``SEVENSTEP_ALLOWED_HOSTS='["studies.example"]'``.
    """

    model_config = SettingsConfigDict(env_prefix="SEVENSTEP_", frozen=True, extra="ignore")

    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder of the SQLite file, ``server.json``, logs and artifacts."""
    database_url: str = ""
    """SQLAlchemy URL. Empty: ``sevenstep.db`` in ``data_dir``. Postgres: ``postgresql://...``."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, beside the loopback ones, that requests may be addressed to."""
    allow_task_files: bool = False
    """Whether a study may name a task by file path. Whoever may create one may run code."""
    allowed_task_modules: tuple[str, ...] = ()
    """Import prefixes of tasks that a study may name as ``package.module:Class``."""
    allowed_data_folders: tuple[Path, ...] = ()
    """Folders, in full, that built-in tasks may read a study's files from (``path``)."""
    run_conductor: bool = True
    """Whether this process moves studies on; False where ``sevenstep conductor`` does."""

    heartbeat_seconds: float = Field(default=10.0, gt=0)
    """Period between a worker's heartbeats."""
    lease_seconds: float = Field(default=60.0, gt=0)
    """How long an attempt stays a silent worker's."""
    max_offline_seconds: float = Field(default=900.0, ge=0)
    """How long a worker trains on without reaching the service."""
    max_lost_attempts: int = Field(default=10, ge=1)
    """Attempts of one job that may be lost or preempted before its trials fail."""
    max_attempt_failures: int = Field(default=3, ge=1)
    """Attempts of one job that may crash before its trials fail."""
    conductor_tick_seconds: float = Field(default=1.0, gt=0)
    """Longest the conductor sleeps without looking."""

    max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    """Largest request body, artifacts aside."""
    max_artifact_bytes: int = Field(default=2 * 2**30, ge=1024)
    """Largest artifact."""

    @property
    def resolved_database_url(self) -> str:
        """The database's URL, the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'sevenstep.db'}"

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the artifacts' bytes."""
        return self.data_dir / "artifacts"


def prepare_data_dir(settings: Settings) -> Path:
    """Make the data directory, readable by its owner alone, and check that it can be written.

    Raises:
        DataDirError: It cannot be made or written; the message names folder and cure.
    """
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise DataDirError(
            f"the data directory {folder} cannot be written ({error.strerror});"
            " set SEVENSTEP_DATA_DIR to a folder you may write"
        ) from error
    return folder
