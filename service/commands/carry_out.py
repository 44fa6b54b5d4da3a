"""Carries a study out from the command line: a service, the study, its progress, its end."""

from __future__ import annotations

import os
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from service.commands.console import fail
from service.commands.login_link import login_link
from service.commands.options import HereOptions, TaskOptions
from service.commands.wording import data_dir_option, serve_command

if TYPE_CHECKING:
    from recipes.study import StudyConfig
    from service.client import Client
    from service.server.server_file import ServerFile
    from service.settings import Settings
    from service.views.models import StudyReport

EXIT_FAILED = 1
EXIT_NEEDS_ACTION = 3
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study is carried out, and how people find it there."""

    file: ServerFile
    is_own: bool  # the service ends with this command
    settings: Settings

    def page(self, study: str, *, login: bool = True) -> str:
        """The study's page; with ``login`` a link that signs one browser in, once."""
        path = f"/studies/{study}"
        return login_link(self.file, path) if login else f"{self.file.address}{path}"

    def command(self, words: str) -> str:
        """A ``sevenstep study`` command for this service."""
        return f"sevenstep study {words}{data_dir_option(self.settings)}"


def carry_out(config: StudyConfig, settings: Settings, options: HereOptions) -> int:
    """Create a study, show its progress, and say what came of it.

    Args:
        config: The study.
        settings: The service's.
        options: Slots, what goes to standard output, whether to stay.

    Returns:
        The exit code: 0 completed, 3 it needs a person, 1 failed or cancelled, 130
        interrupted.
    """
    from service.client import Client, ClientError
    from service.commands import launch
    from service.commands.left_over import LOOKED_AT, left_over_line
    from service.commands.progress import display_for

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    to_stderr = options.as_json
    study, place, code, served = None, None, None, None
    try:
        with launch.service(settings, slots=options.slots) as served:
            place = Place(served.file, served.is_own, settings)
            with Client.from_server_file(settings.data_dir) as client:
                if line := left_over_line(client.studies(limit=LOOKED_AT), config.task, place):
                    typer.echo(line, err=to_stderr)
                with _cured(place), _ending_first():
                    study = served.study = client.create(config).id
                typer.echo(f"Study {config.name} ({study}): {place.page(study)}", err=to_stderr)
                with display_for(to_stderr=to_stderr) as display:
                    client.follow(study, display, is_interrupted=_interrupted.is_set)
                if not options.stay and served.leave_to_others():
                    place = replace(place, is_own=False)
                code = _conclude(client, study, place, options)
            if options.stay and place.is_own:
                typer.echo("The page stays up until Ctrl-C.", err=to_stderr)
                signal.pause()
    except ClientError as error:
        fail(str(error))
    except KeyboardInterrupt:
        if code is not None:  # it had ended, and only its page was kept
            return code
        if place is not None and served is not None and served.is_left_up:
            place = replace(place, is_own=False)
        typer.echo(f"\n{interrupted(config, study, place)}", err=True)
        return EXIT_INTERRUPTED
    return code


def _conclude(client: Client, study: str, place: Place, options: HereOptions) -> int:
    from recipes.study import StudyState
    from service.commands.ending import ending_lines

    report = client.report(study)
    if options.as_json:
        typer.echo(client.document(study, "report.json"))
    for line in ending_lines(report):
        typer.echo(line, err=options.as_json)
    ends = place.is_own and not options.stay
    for line in _addresses(report, place, options, ends=ends):
        typer.echo(line, err=options.as_json)
    if report.state is StudyState.COMPLETED:
        return 0
    return EXIT_NEEDS_ACTION if report.state is StudyState.NEEDS_ACTION else EXIT_FAILED


def _addresses(
    report: StudyReport, place: Place, options: HereOptions, *, ends: bool
) -> Iterator[str]:
    """Where to look, what to do, and how to have it again."""
    from recipes.study import StudyState

    serve = serve_command(place.settings, report.task)
    if report.state is StudyState.NEEDS_ACTION:
        yield from _ways_on(report, place, serve if ends else None)
    if ends:
        # No address: nobody listens there any more, and the next service may have another.
        path = f"/studies/{report.id}"
        yield f"Pages: `{serve}` brings them back; this study's are {path} and {path}/report."
    else:
        page, report_page = place.page(report.id), f"{place.page(report.id, login=False)}/report"
        yield f"Page: {page}, report: {report_page}"
    name = options.name if isinstance(options, TaskOptions) else None
    yield f"Again: {again(report.repeat.command, name=name, place=place)}"


def again(command: str, *, name: str | None, place: Place) -> str:
    """A report's command with what it cannot know: the name that was given, the data."""
    named = "" if name is None else f" --name {shlex.quote(name)}"
    return f"{command}{named}{data_dir_option(place.settings)}"


def _ways_on(report: StudyReport, place: Place, serve: str | None) -> Iterator[str]:
    """What a person can do with a study that waits."""
    from recipes.step import StepState

    last = report.steps[-1]
    step = f"{report.id} {last.number}"
    if serve is not None:
        yield f"To go on with this study, run `{serve}`, and beside it one of:"
    else:
        yield "To go on with this study:"
    if last.verdict is StepState.FAILED:
        yield f"  after a change to the task: {place.command(f'rerun {step}')}"
        yield f"  without it: {place.command(f'skip {step} --reason ...')}"
    else:
        yield f"  with the change: {place.command(f'accept {step}')}"
        yield f"  without it: {place.command(f'skip {step} --reason ...')}"


CLOSED = ("--allow-task-files", "SEVENSTEP_ALLOWED_TASK_MODULES")
"""What a refusal's cure names when the service was not started to run a task; others, of a
misspelt name for one, say what to do themselves."""


@contextmanager
def _cured(place: Place) -> Iterator[None]:
    """The cure of a refused task file names the service that runs, which has to end first."""
    from service.client import ClientError, Refused

    try:
        yield
    except Refused as error:
        is_closed = any(word in (error.cure or "") for word in CLOSED)
        if error.field != "task" or place.is_own or not is_closed:
            raise
        raise ClientError(
            f"the service at {place.file.address} (process {place.file.pid}) does not run this"
            " task: it was started without --allow-task-files. Stop it and run this command"
            " again, which then starts one of its own; or give this one another --data-dir"
        ) from error


def interrupted(config: StudyConfig, study: str | None, place: Place | None) -> str:
    """What goes on after Ctrl-C, and the commands for it in full."""
    if study is None or place is None:
        return "Interrupted. No study was created."
    if place.is_own:
        return (
            f"Interrupted. Study {study} is kept with all it measured, and goes on where it was"
            f" with `{serve_command(place.settings, config.task)}`;"
            f" beside that, `{place.command(f'cancel {study}')}` ends it."
        )
    return (
        f"Interrupted. Study {study} goes on without this command while the service at"
        f" {place.file.address} is up: {place.page(study, login=False)}. After that,"
        f" `{serve_command(place.settings, config.task)}` takes it up where it was."
        f" `{place.command(f'pause {study}')}` holds it, `{place.command(f'cancel {study}')}`"
        " ends it."
    )


_interrupted = threading.Event()
"""Set by the signal: an exception raised in a callback of the interpreter's is swallowed."""
WAITING = b"\nEnding as soon as the study is created; a second Ctrl-C does not wait.\n"
_has_to_end = threading.Event()
"""Set while something is under way that the first signal must not cut off."""


def _interrupt(number: int, frame: object) -> None:
    is_first = not _interrupted.is_set()
    _interrupted.set()
    if not (is_first and _has_to_end.is_set()):
        raise KeyboardInterrupt
    os.write(2, WAITING)


@contextmanager
def _ending_first() -> Iterator[None]:
    """Have an interruption wait until what is under way has ended; a second one does not wait.

    Cut off before its answer, a request would leave a study that nobody here knows of.
    """
    _has_to_end.set()
    try:
        yield
    finally:
        _has_to_end.clear()
    if _interrupted.is_set():
        raise KeyboardInterrupt
