"""The service's settings: ``SEVENSTEP_*`` in the environment, or a command's options."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from recipes.logs import LogFormat, LogLevel
from recipes.secret_file import SettingsWithSecrets
from service.errors import DataDirError

LEAST_HEARTBEATS = 2
"""Heartbeats that a lease must have room for."""
CENTURY_DAYS = 36_500
"""Longest that things may be kept, where not for good."""


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


class Settings(SettingsWithSecrets):
    """Everything about the service that can be set.

    Each field is read from ``SEVENSTEP_<FIELD>``; ``SEVENSTEP_DATABASE_URL`` for
    ``database_url``. Lists are JSON: ``SEVENSTEP_ALLOWED_HOSTS='["studies.example"]'``.
    Secrets may come by file: ``SEVENSTEP_ADMIN_TOKEN_FILE`` names the one that holds
    ``admin_token``.

    Raises:
        SecretFileError: A secret's file cannot be used.
    """

    model_config = SettingsConfigDict(env_prefix="SEVENSTEP_", frozen=True, extra="ignore")
    secrets: ClassVar[tuple[str, ...]] = (
        "database_url",
        "database_password",
        "admin_token",
        "worker_token",
    )

    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder of the SQLite file, ``server.json``, logs and artifacts."""
    database_url: str = ""
    """SQLAlchemy URL. Empty: ``sevenstep.db`` in ``data_dir``. Postgres: ``postgresql://...``."""
    database_password: SecretStr | None = None
    """Password for ``database_url``, where the URL itself has none."""
    admin_token: SecretStr | None = None
    """A token of scope admin, made elsewhere: known from the start on. Left out: one is made."""
    worker_token: SecretStr | None = None
    """A token of scope worker, made elsewhere, that all workers of this service may share."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, beside the loopback ones, that requests may be addressed to."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose ``X-Forwarded-For`` and ``-Proto`` are believed."""
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
    """Attempts of one job that may be lost before its trials fail."""
    max_attempt_failures: int = Field(default=3, ge=1)
    """Attempts of one job that may crash before its trials fail."""
    conductor_tick_seconds: float = Field(default=1.0, gt=0)
    """Longest the conductor sleeps without looking."""

    max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    """Largest request body, artifacts aside."""
    max_artifact_bytes: int = Field(default=2 * 2**30, ge=1024)
    """Largest artifact."""
    kept_answer_hours: float = Field(default=24.0, gt=0, le=24 * 365)
    """How long the answer to a request with an ``Idempotency-Key`` is kept."""
    max_study_artifacts_bytes: int | None = Field(default=None, ge=1024)
    """Most that one study's artifacts may hold together; no limit when left out."""
    max_all_artifacts_bytes: int | None = Field(default=None, ge=1024)
    """Most that all artifacts may hold together; no limit when left out."""
    keep_artifacts_days: float | None = Field(default=None, ge=0, le=CENTURY_DAYS)
    """How long the artifacts of an ended study are kept; for good when left out."""
    keep_events_days: float | None = Field(default=None, ge=0, le=CENTURY_DAYS)
    """How long the events of an ended study are kept; for good when left out."""

    log_format: LogFormat = LogFormat.PLAIN
    """``plain``: lines for people; ``json``: an object a line."""
    log_level: LogLevel = LogLevel.INFO
    """The least that is logged: ``debug``, ``info``, ``warning`` or ``error``."""
    log_requests: bool = False
    """Whether every request that was answered gets a line, workers' polls aside."""

    max_requests_per_second: float = Field(default=200.0, ge=0)
    """Requests of one token, or of one browser, beside those below; 0: no limit. Ten seconds'
    worth may come at once, as for each of these."""
    max_heartbeats_per_second: float = Field(default=100.0, ge=0)
    """Heartbeats and ends of one attempt, and of all workers behind one token; 0: no limit."""
    max_points_requests_per_second: float = Field(default=50.0, ge=0)
    """Batches of curve points and artifacts of one attempt; 0: no limit."""
    max_claims_per_second: float = Field(default=100.0, ge=0)
    """Claims and registrations of all workers behind one token; 0: no limit."""
    max_failed_logins_per_minute: float = Field(default=30.0, ge=0)
    """Failed attempts to sign in from one address; 0: no limit."""

    @field_validator("lease_seconds")
    @classmethod
    def _outlasts_a_lost_heartbeat(cls, lease_seconds: float, info: ValidationInfo) -> float:
        """Refuse a lease that ends before a worker could renew it."""
        least = LEAST_HEARTBEATS * info.data.get("heartbeat_seconds", 0.0)
        if lease_seconds < least:
            raise ValueError(
                f"give at least {least:g}: {LEAST_HEARTBEATS} times SEVENSTEP_HEARTBEAT_SECONDS,"
                " so that one late heartbeat does not lose an attempt"
            )
        return lease_seconds

    @property
    def resolved_database_url(self) -> str:
        """The database's URL, the default and the password filled in."""
        url = self.database_url or f"sqlite:///{self.data_dir / 'sevenstep.db'}"
        if self.database_password is None or url.startswith("sqlite"):
            return url
        from sqlalchemy.engine import make_url  # scripts have these settings, and no SQL

        parsed = make_url(url)
        if parsed.password is not None:
            return url
        password = self.database_password.get_secret_value()
        return parsed.set(password=password).render_as_string(hide_password=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file, which belongs to one service process."""
        return self.resolved_database_url.startswith("sqlite")

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
