"""The options commands share: each group once, as a dataclass that a command takes whole."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from service.commands.console import whole_number

MAX_SEED = 2**31 - 1

Options = TypeVar("Options")


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Which task, and what of it is given."""

    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK", help="digits, path/to/file.py:Class or package.module:Class"
        ),
    ]
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="name=value fixes it; name=low..high gives its range. Repeatable."
        ),
    ] = None
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", help="key=value for the task's constructor. Repeatable."),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            parser=whole_number("--seed", 0, MAX_SEED),
            metavar="N",
            help="Draws everything random.",
        ),
    ] = 0
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How far a study goes."""

    incumbent: Annotated[
        str | None,
        typer.Option(
            help="Your present setting, as lr=0.1,weight_decay=5e-4: searched and compared with."
        ),
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(
            help="Most it may spend: 15m, 200epochs, 64trials, 2device-hours, or 15m+64trials."
        ),
    ] = None
    steps: Annotated[
        str | None, typer.Option(help="Which of the seven steps: 1-3, or 1,2,5. All by default.")
    ] = None
    max_rounds: Annotated[
        int | None,
        typer.Option(
            parser=whole_number("--max-rounds", 1, 100),
            metavar="N",
            help="Most rounds of steps 5 to 7.",
        ),
    ] = None
    no_autopilot: Annotated[
        bool, typer.Option("--no-autopilot", help="Wait for `study accept` before each change.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class HereOptions:
    """Where a study runs and what is left behind."""

    slots: Annotated[str, typer.Option(help="Runs at a time on this machine; auto: as fits.")] = (
        "auto"
    )
    as_json: Annotated[
        bool,
        typer.Option("--json", help="The report as JSON on standard output, nothing else there."),
    ] = False
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep the service up at the end, until Ctrl-C.")
    ] = False
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the database and its files.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class CheckOptions(HereOptions, TaskOptions):
    """What ``check`` and ``lr-find`` take."""


@dataclass(frozen=True, kw_only=True)
class RunOptions(HereOptions, SearchOptions, TaskOptions):
    """What ``run`` takes."""

    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would run and what it costs; create nothing.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class CreateOptions(SearchOptions, TaskOptions):
    """What ``study create`` takes."""

    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False
    data_dir: Annotated[Path | None, typer.Option(help="Data directory of the service.")] = None


def taking(
    options: type[Options],
) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """A command whose options are the fields of a dataclass.

    Typer reads a function's signature; this gives it one made of the fields, and gives the
    function the dataclass. So an option that several commands have is written once.

    Args:
        options: The dataclass; its fields are annotated as Typer's parameters are.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=(
                inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
            ),
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(options)  # type: ignore[arg-type]
    ]

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        def given(**values: Any) -> None:
            command(options(**values))

        given.__name__, given.__doc__ = command.__name__, command.__doc__
        given.__annotations__ = {each.name: each.annotation for each in parameters}
        given.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return given

    return decorate
