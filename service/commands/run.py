"""``run``, ``check``, ``lr-find`` and ``demo``: one study from a command line to its verdicts."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.console import fail, settings_of
from service.commands.task_option import (
    absolute_task,
    default_name,
    describe_task,
    study_config,
)

if TYPE_CHECKING:
    from recipes.study import StudyConfig
    from service.server_file import ServerFile
    from service.settings import Settings
    from service.views import StudyView

EXIT_GATE_FAILED = 3
EXIT_INTERRUPTED = 130

TaskArgument = Annotated[
    str,
    typer.Argument(metavar="TASK", help="digits, path/to/file.py:Class or package.module:Class"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="name=value fixes it; name=low..high gives its range. Repeatable."),
]
ArgOption = Annotated[
    list[str] | None, typer.Option("--arg", help="key=value for the task's constructor.")
]
SeedOption = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Draws everything random.")]
SlotsOption = Annotated[str, typer.Option(help="Runs at a time on this machine; auto: as fits.")]
NameOption = Annotated[str | None, typer.Option(help="The study's name.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="The report as JSON on standard output, nothing else there.")
]
StayOption = Annotated[
    bool, typer.Option("--stay", help="Keep the service up at the end, until Ctrl-C.")
]
DataDirOption = Annotated[Path | None, typer.Option(help="Folder of the database and its files.")]


def run(
    task: TaskArgument,
    set_: SetOption = None,
    arg: ArgOption = None,
    seed: SeedOption = 0,
    slots: SlotsOption = "auto",
    name: NameOption = None,
    as_json: JsonOption = False,
    stay: StayOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Carry out the recipe on a task: steps 1 to 3, each with its verdict.

    Exit code 0: completed; 3: a gate failed and needs you; 1: an error; 2: wrong usage.
    """
    _run(task, (1, 2, 3), set_, arg, seed, slots, name, as_json, stay, data_dir)


def check(
    task: TaskArgument,
    set_: SetOption = None,
    arg: ArgOption = None,
    seed: SeedOption = 0,
    slots: SlotsOption = "auto",
    name: NameOption = None,
    as_json: JsonOption = False,
    stay: StayOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Check a task: its data, its initial loss, and that it can overfit a small sample."""
    _run(task, (1, 2), set_, arg, seed, slots, name, as_json, stay, data_dir)


def lr_find(
    task: TaskArgument,
    set_: SetOption = None,
    arg: ArgOption = None,
    seed: SeedOption = 0,
    slots: SlotsOption = "auto",
    name: NameOption = None,
    as_json: JsonOption = False,
    stay: StayOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Find the learning rates that make a task's loss fall: step 3 alone."""
    _run(task, (3,), set_, arg, seed, slots, name, as_json, stay, data_dir)


def demo(
    slots: SlotsOption = "auto", stay: StayOption = False, data_dir: DataDirOption = None
) -> None:
    """Run the recipe on handwritten digits, and see its verdicts and its page."""
    _run("digits", (1, 2, 3), None, None, 0, slots, "demo", False, stay, data_dir)


def _run(
    task: str,
    steps: tuple[int, ...],
    settings_given: list[str] | None,
    arguments: list[str] | None,
    seed: int,
    slots: str,
    name: str | None,
    as_json: bool,
    stay: bool,
    data_dir: Path | None,
) -> None:
    from service.commands.serve import num_slots

    num_slots(slots)
    settings = settings_of(data_dir=data_dir)
    task = absolute_task(task)
    description = describe_task(task, arguments or [])
    config = study_config(
        task,
        description,
        arguments=arguments or [],
        settings=settings_given or [],
        seed=seed,
        steps=steps,
        name=name or default_name(task),
    )
    signal.signal(signal.SIGTERM, _interrupt)
    code = _carry_out(config, settings, slots=slots, as_json=as_json, stay=stay)
    if code:
        raise typer.Exit(code)


def _carry_out(
    config: StudyConfig, settings: Settings, *, slots: str, as_json: bool, stay: bool
) -> int:
    from service.commands import launch
    from service.commands.client import Client, ClientError
    from service.commands.progress import follow

    study = None
    try:
        with launch.service(settings, slots=slots) as (file, is_own):
            with Client(file.address, file.token) as client:
                study = client.create_study(config)
                page = _page(file, study.id)
                typer.echo(f"Study {study.name} ({study.id}), live at {page}", err=as_json)
                study = follow(client, study.id, to_stderr=as_json)
                if as_json:
                    typer.echo(client.report_json(study.id))
                _say_end(study, file, page, is_own=is_own and not stay, to_stderr=as_json)
            if stay and is_own:
                typer.echo("The page stays up until Ctrl-C.", err=as_json)
                signal.pause()
    except ClientError as error:
        fail(str(error))
    except KeyboardInterrupt:
        if study is None or (stay and study.finished_at is not None):
            return EXIT_INTERRUPTED if study is None else _exit_code(study)
        typer.echo(
            f"\nInterrupted. Study {study.id} is kept and goes on with the next service on this"
            f" data: `sevenstep serve --allow-task-files`; `sevenstep study cancel {study.id}`"
            " ends it.",
            err=True,
        )
        return EXIT_INTERRUPTED
    return _exit_code(study)


def _say_end(
    study: StudyView, file: ServerFile, page: str, *, is_own: bool, to_stderr: bool
) -> None:
    from service.commands.progress import say_now

    typer.echo(say_now(study), err=to_stderr)
    if study.problem is not None:
        where = f"{study.problem.file}:{study.problem.line or 1}: " if study.problem.file else ""
        typer.echo(f"{where}{study.problem.message}\nCure: {study.problem.cure}", err=to_stderr)
    typer.echo(f"Page: {page}", err=to_stderr)
    if is_own:
        typer.echo(
            f"The service has ended with this command; `sevenstep serve` brings the page back"
            f" ({file.address}/studies/{study.id}).",
            err=to_stderr,
        )


def _page(file: ServerFile, study: str) -> str:
    return f"{file.address}/login?token={file.token}&next=/studies/{study}"


def _exit_code(study: StudyView) -> int:
    from recipes.study import StudyState

    if study.state is StudyState.COMPLETED:
        return 0
    return EXIT_GATE_FAILED if study.state is StudyState.NEEDS_ACTION else 1


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
