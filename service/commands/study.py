"""``study``: create, look at and steer studies of the running service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.console import fail, settings_of, whole_number
from service.commands.options import CreateOptions, taking
from service.commands.task_option import check_options, describe_task, study_config

if TYPE_CHECKING:
    from service.client import Client
    from service.views.models import StudyView

commands = typer.Typer(help="Studies of the running service.", no_args_is_help=True)
DataDir = Annotated[Path | None, typer.Option(help="Data directory of the service.")]
StudyId = Annotated[
    str, typer.Argument(metavar="STUDY", help="The study's id, as `study list` shows it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]
StepNumber = Annotated[
    int,
    typer.Argument(
        parser=whole_number("STEP", 1, 7), metavar="STEP", help="The step's number, 1 to 7."
    ),
]
LatestStep = Annotated[
    int | None,
    typer.Argument(
        parser=whole_number("STEP", 1, 7),
        metavar="STEP",
        help="The step's number; the latest by default.",
    ),
]


@commands.command()
@taking(CreateOptions)
def create(options: CreateOptions) -> None:
    """Create a study on the running service, and do not wait for it."""
    check_options(options)
    with running_service(options.data_dir) as client:
        description, _ = describe_task(options)
        view = client.create(study_config(options, description))
        if options.as_json:
            typer.echo(view.model_dump_json(indent=2))
        else:
            typer.echo(f"Study {view.name} ({view.id}): {client.address}/studies/{view.id}")


@commands.command("list")
def list_studies(
    limit: Annotated[
        int,
        typer.Option(
            parser=whole_number("--limit", 1, 200), metavar="N", help="Most studies shown."
        ),
    ] = 20,
    wide: Annotated[
        bool, typer.Option("--wide", help="Lines in full, however wide the terminal is.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """The newest studies."""
    from service.commands.listing import study_line, terminal_width

    with running_service(data_dir) as client:
        page = client.study_page(limit)
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
        return
    width = None if wide else terminal_width()
    for study in page.items:
        typer.echo(study_line(study, width))
    if not page.items:
        typer.echo("No studies yet.")
    elif page.next_cursor:
        typer.echo(f"Showing the newest {len(page.items)}; --limit shows more.")


@commands.command()
def show(study: StudyId, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """A study and its verdicts."""
    from service.commands.step_words import print_step
    from service.pages.sentences import now

    with running_service(data_dir) as client:
        if as_json:
            typer.echo(client.document(study, "report.json"))
            return
        view = client.study(study)
        typer.echo(f"{view.name} ({view.task}, seed {view.seed}): {now(view, has_worker=True)}")
        for step in client.steps(study):
            print_step(step)
        typer.echo(f"Page: {client.address}/studies/{study}")


@commands.command()
def pause(study: StudyId, data_dir: DataDir = None) -> None:
    """Hold a study: what runs comes to its end, nothing more begins."""
    from service.commands.wording import data_dir_option

    with running_service(data_dir) as client:
        client.pause(study)
    resume = f"sevenstep study resume {study}{data_dir_option(settings_of(data_dir=data_dir))}"
    typer.echo(f"Study {study} is paused; `{resume}` lets it go on.")


@commands.command()
def resume(study: StudyId, data_dir: DataDir = None) -> None:
    """Let a paused study go on."""
    with running_service(data_dir) as client:
        _say_state(client.resume(study))


@commands.command()
def cancel(study: StudyId, data_dir: DataDir = None) -> None:
    """End a study. What it measured is kept."""
    with running_service(data_dir) as client:
        client.cancel(study)
    typer.echo(f"Study {study} is cancelled.")


@commands.command()
def delete(
    study: StudyId,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; without a terminal this is needed.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete a study that has ended, for good: its trials, curves, reports and files."""
    with running_service(data_dir) as client:
        view = client.study(study)
        if not yes:
            if not sys.stdin.isatty():
                fail("--yes: not given, and there is no terminal to ask; pass --yes", code=2)
            num_trials = view.num_trials
            typer.confirm(f"Delete {view.name} with its {num_trials} trials for good?", abort=True)
        client.delete(study, confirm=view.name, if_version=view.version)
    typer.echo(f"Study {study} is deleted.")


@commands.command()
def accept(study: StudyId, step: LatestStep = None, data_dir: DataDir = None) -> None:
    """Apply the change that a study waits for: a wider range, another round."""
    with running_service(data_dir) as client:
        _say_state(client.accept(study, _step(client, study, step)))


@commands.command()
def rerun(study: StudyId, step: StepNumber, data_dir: DataDir = None) -> None:
    """Look at the task again, and run a step and all after it again."""
    with running_service(data_dir) as client:
        _say_state(client.rerun(study, step))


@commands.command()
def skip(
    study: StudyId,
    step: LatestStep = None,
    reason: Annotated[str, typer.Option(help="Why; the report keeps it.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Go on without what a step asks for, and say why."""
    if not reason.strip():
        fail("--reason: '' does not fit; say why in a few words, the report keeps it", code=2)
    with running_service(data_dir) as client:
        _say_state(client.skip(study, _step(client, study, step), reason))


@contextmanager
def running_service(data_dir: Path | None) -> Iterator[Client]:
    """A client of the service that runs on this machine; ends the command if there is none."""
    from service.client import Client, ClientError
    from service.commands.wording import data_dir_option
    from service.server import server_file

    settings = settings_of(data_dir=data_dir)
    file = server_file.read(settings.data_dir)
    if file is None or not file.is_alive:
        fail(
            f"no service runs for {settings.data_dir};"
            f" start one with `sevenstep serve{data_dir_option(settings)}`"
        )
    try:
        with Client.from_server_file(settings.data_dir) as client:
            yield client
    except ClientError as error:
        fail(str(error))


def _step(client: Client, study: str, given: int | None) -> int:
    """The step that was named, else the latest one."""
    if given is not None:
        return given
    steps = client.study(study).steps
    if not steps:
        fail(f"study {study} has no step yet; wait for its first verdict")
    return steps[-1].number


def _say_state(study: StudyView) -> None:
    from service.pages.sentences import now

    typer.echo(f"Study {study.id}: {now(study, has_worker=True)}")
