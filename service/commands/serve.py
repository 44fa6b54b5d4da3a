"""``serve`` and ``conductor``: the service's processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.logs import set_up
from service.commands.console import clear_errors, fail, settings_of, whole_number
from service.commands.login_link import login_link
from service.commands.wording import serve_command
from service.server.exit_codes import EXIT_IN_USE

if TYPE_CHECKING:
    from service.server.server_file import ServerFile
    from service.settings import Settings

MOST_LOOKED_AT = 200
"""Newest studies looked at for the line on those that are held back."""
DataDir = Annotated[Path | None, typer.Option(help="Folder of the database and its files.")]
ExitWithStdin = Annotated[
    bool, typer.Option("--exit-with-stdin", hidden=True, help="End when stdin closes.")
]
ForCommand = Annotated[
    bool,
    typer.Option(
        "--for-command",
        hidden=True,
        help="Take the next free port; another code where the database is in use.",
    ),
]
PORTS_TRIED = 20
"""How many ports after a taken one are tried for a command, before any free one."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None,
        typer.Option(
            parser=whole_number("--port", 0, 65535),
            metavar="N",
            help="Port to listen on; 0: any free one.",
        ),
    ] = None,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Train on this machine too.")
    ] = True,
    slots: Annotated[
        str, typer.Option(help="The local worker's runs at a time; auto: as fits the machine.")
    ] = "auto",
    allow_task_files: Annotated[
        bool, typer.Option("--allow-task-files", help="Studies may name tasks by file path.")
    ] = False,
    no_conductor: Annotated[
        bool, typer.Option("--no-conductor", help="Leave studies to `sevenstep conductor`.")
    ] = False,
    data_dir: DataDir = None,
    exit_with_stdin: ExitWithStdin = False,
    for_command: ForCommand = False,
) -> None:
    """Serve the REST interface and the pages, move studies on, and train on this machine."""
    settings = settings_of(
        host=host,
        port=port,
        data_dir=data_dir,
        allow_task_files=allow_task_files or None,
        run_conductor=False if no_conductor else None,
    )
    set_up(level=settings.log_level, format=settings.log_format)
    from service.errors import DatabaseInUse
    from service.server import serving

    stop = threading.Event()
    if exit_with_stdin:
        threading.Thread(target=_watch_stdin, args=(stop, settings), daemon=True).start()
    with clear_errors():
        try:
            serving.serve(
                settings,
                with_worker=worker,
                slots=num_slots(slots),
                ready=lambda file: _announce(file, settings),
                stop=stop,
                num_more_ports=PORTS_TRIED if for_command else 0,
            )
        except DatabaseInUse as error:
            fail(error.detail, code=EXIT_IN_USE if for_command else 1)


def conductor(
    check: Annotated[
        bool,
        typer.Option("--check", help="Say whether this machine's conductor lives: exit 0 or 1."),
    ] = False,
    data_dir: DataDir = None,
    exit_with_stdin: ExitWithStdin = False,
) -> None:
    """Move studies on, in a process of its own beside `serve --no-conductor` (Postgres)."""
    settings = settings_of(data_dir=data_dir)
    from service.conductor.pulse import Pulse, is_fresh, pulse_file

    if check:
        if not is_fresh(pulse_file(settings.data_dir)):
            fail(f"no conductor has stirred lately for {settings.data_dir}")
        return
    set_up(level=settings.log_level, format=settings.log_format)
    from service.conductor.conductor import Conductor
    from service.database.lock import lock_data_dir
    from service.settings import prepare_data_dir
    from service.web.context import open_context

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.set())
    if exit_with_stdin:
        threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
    with clear_errors():
        if settings.is_sqlite:
            fail(
                "a SQLite file belongs to one process, and `sevenstep serve` moves its studies"
                " on; set SEVENSTEP_DATABASE_URL to a Postgres database"
            )
        prepare_data_dir(settings)
        with lock_data_dir(settings):
            context = open_context(settings)
            pulse = Pulse(pulse_file(settings.data_dir))
            Conductor(context.database, settings=settings, pulse=pulse).run(stop)
            context.database.dispose()


def num_slots(slots: str) -> int | None:
    """The number of slots; None for ``auto``. Ends the command on anything else."""
    if slots == "auto":
        return None
    if not slots.isdecimal() or int(slots) < 1:
        fail(f"--slots: {slots!r} does not fit; give 1 or more, or auto", code=2)
    return int(slots)


def _announce(file: ServerFile, settings: Settings) -> None:
    typer.echo(f"Sevenstep {file.version} is ready at {file.address}")
    typer.echo(f"Open {login_link(file)}")
    sys.stdout.flush()
    waiting = _held_back(file, settings)
    if waiting:
        typer.echo(
            f"Held back, because this service does not run their tasks: {', '.join(waiting)};"
            f" `{serve_command(settings, 'task.py')}` lets them go on."
        )
    sys.stdout.flush()


def _held_back(file: ServerFile, settings: Settings) -> list[str]:
    """Names of unfinished studies whose tasks this service was not started to run."""
    from service.client import Client
    from service.use_cases.task_policy import may_run

    with Client(file.address, file.token) as client:
        return [
            f"{study.name} ({study.id})"
            for study in client.studies(limit=MOST_LOOKED_AT)
            if not study.state.has_ended and not may_run(study.task, settings)
        ]


def _watch_stdin(stop: threading.Event, settings: Settings | None = None) -> None:
    """Set ``stop`` once stdin is closed; with settings, whoever closes it may ask for more."""
    said = b""
    while part := os.read(0, 4096):
        said += part
    if said and settings is not None:
        from pydantic import ValidationError

        from service.commands.others import StayUp, wait_for_others

        with contextlib.suppress(ValidationError):  # somebody typed
            wait_for_others(settings, StayUp.model_validate_json(said))
    stop.set()
