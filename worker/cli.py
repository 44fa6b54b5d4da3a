"""The worker half's commands: ``worker`` and ``describe``. Torch loads in child processes only."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from recipes.logs import LogLevel, set_up

if TYPE_CHECKING:
    from recipes.description import TaskDescription, TaskProblem
    from recipes.space import ParameterValue
    from recipes.timing import Timing
    from worker.agent.agent import Agent

SIGNAL_EXTRA_SECONDS = 2.0
"""Time for the last reports, after the slot processes' own grace."""
STDIN_CLOSED_SECONDS = 2.0
"""The one who started us is gone, and most likely the service with it."""


def commands(app: typer.Typer) -> None:
    """Add this half's commands to the command line."""
    app.command()(worker)
    app.command(hidden=True)(describe)


def worker(
    server: Annotated[
        str | None, typer.Option(help="The service's address. Left out: this machine's own.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="A worker's token; better in SEVENSTEP_TOKEN.")
    ] = None,
    slots: Annotated[
        str, typer.Option(help="Attempts at a time; auto: one for each GPU, else each core.")
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="The name people see.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder for temporary files.")] = None,
    exit_with_stdin: Annotated[
        bool, typer.Option("--exit-with-stdin", help="Leave when standard input closes.")
    ] = False,
    log_level: Annotated[
        LogLevel | None, typer.Option(help="The least that is logged; info by default.")
    ] = None,
) -> None:
    """Train for a service: claim its attempts, run them here, report what they measure."""
    from pydantic import ValidationError

    from recipes.errors import InvalidSetting
    from recipes.secret_file import SecretFileError
    from worker.agent.agent import Agent, AgentError
    from worker.agent.client import ServiceClient
    from worker.agent.devices import assign_slots, cuda_devices, num_cores
    from worker.agent.home import AgentFolder
    from worker.fused.asked import asked_number
    from worker.settings import AgentSettings, SettingsError

    given: dict[str, Any] = {
        "server": server,
        "token": token,
        "worker_name": name,
        "worker_home": home,
        "slots": _num_slots(slots),
        "log_level": log_level,
    }
    try:
        settings = AgentSettings(
            **{key: value for key, value in given.items() if value is not None}
        )
        set_up(level=settings.log_level, format=settings.log_format)
        asked_number(os.environ)  # refused here, before a task is described by it
        address, secret = settings.address()
        devices = assign_slots(settings.slots, cuda_devices(os.environ), num_cores())
        client = ServiceClient(address, secret, num_connections=3 * len(devices) + 4)
        with closing(client), AgentFolder(settings.home) as folder:
            agent = Agent(settings, client, devices, folder)
            _obey_signals(agent, settings.grace_seconds + SIGNAL_EXTRA_SECONDS)
            if exit_with_stdin:
                threading.Thread(target=_watch_stdin, args=(agent,), daemon=True).start()
            agent.run()
    except (AgentError, InvalidSetting, SettingsError, SecretFileError) as error:
        _stop_with(str(error))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        _stop_with(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}")


def describe(
    task: Annotated[
        str, typer.Argument(help="digits, path/to/file.py:Class or package.module:Class")
    ],
    arg: Annotated[
        list[str] | None, typer.Option(help="key=value for the task's constructor; repeatable.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
    time: Annotated[
        bool, typer.Option("--time", help="Train for a few seconds too: what an epoch takes.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="With --time: name=value or name=low..high; repeatable."),
    ] = None,
) -> None:
    """Load a task and measure what the recipe must know of it; exit 1 when it cannot be used."""
    from recipes.description import TaskDescription
    from recipes.errors import InvalidSetting

    arguments = _arguments(arg or [])
    found: TaskDescription | TaskProblem
    timing: Timing | None = None
    if time:
        from worker.time_command import time_task

        try:
            timed = time_task(task, arguments, set_ or [])
        except InvalidSetting as error:
            typer.echo(f"sevenstep: {error}", err=True)
            raise typer.Exit(2) from error
        found, timing = timed if isinstance(timed, tuple) else (timed, None)
    else:
        from worker.describe_command import describe_task

        found = describe_task(task, arguments)
    if as_json:
        typer.echo(json.dumps(_described(found, timing)))
    else:
        _say_described(found, timing)
    raise typer.Exit(0 if isinstance(found, TaskDescription) else 1)


def _described(
    found: TaskDescription | TaskProblem, timing: Timing | None
) -> dict[str, dict[str, Any]]:
    from recipes.description import TaskDescription

    key = "description" if isinstance(found, TaskDescription) else "problem"
    said = {key: found.model_dump(mode="json")}
    return said if timing is None else {**said, "timing": timing.model_dump(mode="json")}


def _say_described(found: TaskDescription | TaskProblem, timing: Timing | None) -> None:
    from recipes.description import TaskProblem
    from recipes.words import number

    if isinstance(found, TaskProblem):
        typer.echo(f"{found.where}{found.message}; {found.cure}", err=True)
        return
    splits = ", ".join(f"{split.name} {split.num_samples}" for split in found.splits)
    typer.echo(f"{found.name}: {found.kind}, {found.num_parameters} parameters, samples: {splits}")
    if timing is not None:
        typer.echo(
            f"{number(timing.seconds_per_epoch)} s an epoch on {timing.device}"
            f" ({number(timing.measured_epochs)} epochs were trained); {timing.slots} at a time"
        )


def _num_slots(slots: str) -> int | None:
    if slots == "auto":
        return None
    if not slots.isdecimal() or int(slots) < 1:
        raise typer.BadParameter(
            f"{slots!r} does not fit; give 1 or more, or auto", param_hint="--slots"
        )
    return int(slots)


def _arguments(pairs: list[str]) -> dict[str, ParameterValue]:
    arguments: dict[str, ParameterValue] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{pair!r} does not fit; give key=value", param_hint="--arg")
        arguments[key] = _value(text)
    return arguments


def _value(text: str) -> ParameterValue:
    """A bool, number or quoted string as JSON has them; everything else is a plain string."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text


def _obey_signals(agent: Agent, within_seconds: float) -> None:
    """The first signal hands the work back, the second ends everything at once."""
    seen: list[int] = []

    def obey(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) == 1:
            agent.stop(within_seconds=within_seconds)
        else:
            agent.kill()
            os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, obey)


def _watch_stdin(agent: Agent) -> None:
    while os.read(0, 4096):
        pass
    agent.stop(within_seconds=STDIN_CLOSED_SECONDS)


def _stop_with(message: str) -> NoReturn:
    typer.echo(f"sevenstep worker: {message}", err=True)
    raise typer.Exit(1)
