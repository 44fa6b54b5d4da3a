"""The service a command speaks to: the one that runs, or one of its own in another process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from service.commands.console import fail
from service.server import server_file
from service.server.exit_codes import EXIT_IN_USE

if TYPE_CHECKING:
    from service.server.server_file import ServerFile
    from service.settings import Settings

START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOOK_SECONDS = 0.05
TRY_AGAIN_SECONDS = 3.0
"""How long the service of another command is waited for, until one of our own is tried again:
a start takes about as long, and that one may have ended meanwhile."""


@dataclass(slots=True)
class Served:
    """A service to speak to.

    Attributes:
        file: What it left.
        process: Its process; None: another command's, or one by itself.
        study: The command's own study, once there is one.
        is_left_up: Whether it stays up after this command, for the studies of others.
    """

    file: ServerFile
    process: subprocess.Popen[bytes] | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    study: str | None = None
    is_left_up: bool = False

    @property
    def is_own(self) -> bool:
        """Whether this command started it."""
        return self.process is not None

    def leave_to_others(self) -> bool:
        """Whether its own service has to stay up for another command; if so, it is told.

        The service then ends by itself, soon after the last of those studies has.
        """
        from service.commands.others import StayUp, of_others

        if self.process is None or self.is_left_up:
            return self.is_left_up
        asked = StayUp(since=self.since, besides=self.study)
        others = of_others(self.file, asked)
        if not others or self.process.poll() is not None:
            return False
        assert self.process.stdin is not None
        self.process.stdin.write(asked.model_dump_json().encode())
        self.process.stdin.close()
        self.is_left_up = True
        named = ", ".join(f"{each.name} ({each.id})" for each in others)
        typer.echo(
            f"The service stays up for what another command began in it: {named}."
            " It ends when that has.",
            err=True,
        )
        return True


@contextmanager
def service(settings: Settings, *, slots: str) -> Iterator[Served]:
    """A service to speak to: the one that runs, else one of this command's own.

    Its own one runs in a separate process and holds the other end of a pipe: it ends when
    this process does, however that comes about, unless it is left to others. Where another
    command starts one on the same data at the same moment, that one is joined as soon as it
    answers.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = running(settings)
        if found is not None:
            yield Served(found)
            return
        since = datetime.now(UTC)
        process, file, said = _start(settings, slots)
        if file is not None:
            break
        if time.monotonic() > deadline:
            fail(f"the service did not answer within {START_SECONDS:.0f} s: {said}")
        _wait_for_the_other(settings)
    served = Served(file, process, since)
    try:
        yield served
    finally:
        if not served.leave_to_others():
            _end(process)


def _start(
    settings: Settings, slots: str
) -> tuple[subprocess.Popen[bytes], ServerFile | None, str]:
    """Start one of our own; its file is None where another service has the database.

    The third is what it said last. Ends the command where it cannot be started at all.
    """
    command = [
        *(sys.executable, "-P", "-m", "recipes.cli", "serve", "--allow-task-files"),
        *("--host", settings.host, "--port", str(settings.port), "--slots", slots),
        *("--data-dir", str(settings.data_dir), "--exit-with-stdin", "--for-command"),
    ]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl-C is this command's to deal with
        )
        try:
            return process, _wait_until_ready(process, settings, log), _last_line(log)
        except BaseException:
            _end(process)
            raise


def _wait_for_the_other(settings: Settings) -> None:
    """Return once the service that has the database answers, or after a while."""
    deadline = time.monotonic() + TRY_AGAIN_SECONDS
    while time.monotonic() < deadline and running(settings) is None:
        time.sleep(LOOK_SECONDS)


def running(settings: Settings) -> ServerFile | None:
    """The service that has this data directory, if one runs and answers."""
    from service.client import Client

    file = server_file.read(settings.data_dir)
    if file is None or not file.is_alive:
        return None
    with Client(file.address, file.token) as client:
        return file if client.is_sevenstep() else None


def _wait_until_ready(
    process: subprocess.Popen[bytes], settings: Settings, log: object
) -> ServerFile | None:
    """What it left once it answers; None where it found another service on the database."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        code = process.poll()
        if code == EXIT_IN_USE:
            _end(process)
            return None
        if code is not None:
            fail(f"the service did not start: {_last_line(log)}")
        file = server_file.read(settings.data_dir)
        if file is not None and file.pid == process.pid and running(settings) is not None:
            return file
        time.sleep(LOOK_SECONDS)
    fail(f"the service did not answer within {START_SECONDS:.0f} s: {_last_line(log)}")


def _last_line(log: object) -> str:
    log.seek(0)  # type: ignore[attr-defined]
    lines = log.read().decode(errors="replace").strip().splitlines()  # type: ignore[attr-defined]
    return lines[-1].removeprefix("sevenstep: ") if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdin is not None
    process.stdin.close()
