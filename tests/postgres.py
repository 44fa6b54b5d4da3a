"""A real Postgres server for the tests, of the system's binaries, or one that is given."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from service.database import models  # noqa: F401  fills the metadata
from service.database.base import Base
from service.database.engine import Database
from service.errors import StartupError

TEMPLATE = "sevenstep_template"
SYSTEM_BINARIES = Path("/usr/lib/postgresql")


class Unavailable(Exception):
    """No Postgres can be started here."""


@dataclass
class PostgresServer:
    """A server on a port of its own, thrown away at the end.

    ``TEST_PG_URL`` names a running one instead; its user must be allowed to make databases.
    """

    url: str
    folder: Path | None = None
    commands: tuple[str, ...] = ()
    prefix: str = field(default_factory=lambda: f"t{os.getpid()}")

    def __post_init__(self) -> None:
        self._numbers = count()
        self._made: list[str] = []
        self._emptied: list[str] = []
        self._template = f"{self.prefix}_{TEMPLATE}"
        self._create(self._template)
        database = Database(self._url_of(self._template))
        database.upgrade()
        database.dispose()

    @classmethod
    def start(cls, *, durable: bool = False) -> PostgresServer:
        """Start one. Raises Unavailable.

        Args:
            durable: Whether a commit waits for the disk, which tests need not.
        """
        given = os.environ.get("TEST_PG_URL")
        if given:
            return cls(given)
        binaries = _binaries()
        # Not under pytest's own folder: its parents are closed to the user that must run it.
        folder = Path(tempfile.mkdtemp(prefix="sevenstep-pg-"))
        commands = _as_postgres(folder)
        data = folder / "data"
        try:
            _run(
                *(*commands, binaries / "initdb", "-D", data, "-U", "postgres"),
                *("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"),
            )
            port = _free_port()
            options = f"-p {port} -h 127.0.0.1 -k {folder} -c max_connections=200"
            options += "" if durable else " -c fsync=off"
            _run(
                *(*commands, binaries / "pg_ctl", "-D", data, "-w", "-o", options),
                *("-l", folder / "log", "start"),
            )
        except Unavailable:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(
            f"postgresql://postgres@127.0.0.1:{port}/postgres",
            folder,
            tuple(map(str, [*commands, binaries / "pg_ctl", "-D", data, "-m", "immediate"])),
        )

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a database with the tables and no rows, for one test.

        Emptied and lent again afterwards: that takes a tenth of the time of a new one.
        """
        url = self._emptied.pop() if self._emptied else self._fresh(template=self._template)
        yield url
        used = Database(url)
        try:
            used.check_schema()
        except StartupError:
            return  # a test of migrations had it; it is not lent again
        else:
            tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
            with used.write() as session:
                session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            self._emptied.append(url)
        finally:
            used.dispose()

    def empty_database(self) -> str:
        """The URL of a new database without tables."""
        return self._fresh(template="template1")

    def stop(self) -> None:
        """Stop the server and remove what it wrote; of a given one, drop what was made."""
        if self.folder is None:
            for name in self._made:
                self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return
        _run(*self.commands, "stop")
        shutil.rmtree(self.folder)

    def _fresh(self, *, template: str) -> str:
        name = f"{self.prefix}_{next(self._numbers)}"
        self._create(name, template=template)
        return self._url_of(name)

    def _create(self, name: str, *, template: str = "template1") -> None:
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append(name)

    def _execute(self, statement: str) -> None:
        engine = create_engine(make_url(self.url).set(drivername="postgresql+psycopg"))
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))
        engine.dispose()

    def _url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)


def _binaries() -> Path:
    versions = sorted(SYSTEM_BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    if found is None:
        raise Unavailable("initdb was not found; install postgresql, or set TEST_PG_URL")
    return Path(found).parent


def _as_postgres(folder: Path) -> list[str]:
    """How to run the server: it refuses root, so as the system's own postgres user then."""
    if os.getuid() != 0:
        return []
    try:
        shutil.chown(folder, "postgres", "postgres")
    except LookupError:
        raise Unavailable("Postgres refuses root, and there is no user postgres") from None
    return ["runuser", "-u", "postgres", "--"]


def _run(*command: object) -> None:
    # Output to a file: the server would keep a pipe open for as long as it lives.
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                list(map(str, command)),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd="/",
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(str(error)) from error
        if done.returncode != 0:
            output.seek(0)
            text_ = output.read().decode(errors="replace")
            raise Unavailable(f"{command[0]} failed: {text_[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
