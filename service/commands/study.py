"""``study``: look at studies of the running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.console import fail, settings_of

if TYPE_CHECKING:
    from service.commands.client import Client

commands = typer.Typer(help="Studies of the running service.", no_args_is_help=True)
DataDir = Annotated[Path | None, typer.Option(help="Data directory of the service.")]
StudyId = Annotated[str, typer.Argument(help="The study's id, as `study list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


@commands.command("list")
def list_studies(
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most studies shown.")] = 20,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """The newest studies."""
    from service.pages.format import mark

    with running_service(data_dir) as client:
        page = client.studies(limit)
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
        return
    for study in page.items:
        shown = mark(study.state)
        typer.echo(f"{study.id}  {shown.sign} {shown.word:<12}  {study.name}: {study.sentence}")
    if not page.items:
        typer.echo("No studies yet.")
    elif page.next_cursor:
        typer.echo(f"Showing the newest {len(page.items)}; --limit shows more.")


@commands.command()
def show(study: StudyId, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """A study and its verdicts."""
    from service.commands.progress import print_step, say_now

    with running_service(data_dir) as client:
        if as_json:
            typer.echo(client.report_json(study))
            return
        view = client.study(study)
        typer.echo(f"{view.name} ({view.task}, seed {view.seed}): {say_now(view)}")
        for step in client.steps(study):
            print_step(step)
        typer.echo(f"Page: {client.address}/studies/{study}")


@commands.command()
def cancel(study: StudyId, data_dir: DataDir = None) -> None:
    """End a study. What it measured is kept."""
    with running_service(data_dir) as client:
        client.cancel(study)
    typer.echo(f"Study {study} is cancelled.")


@contextmanager
def running_service(data_dir: Path | None) -> Iterator[Client]:
    """A client of the service that runs on this machine; ends the command if there is none."""
    from service import server_file
    from service.commands.client import Client, ClientError

    settings = settings_of(data_dir=data_dir)
    file = server_file.read(settings.data_dir)
    if file is None or not file.is_alive:
        fail(f"no service runs for {settings.data_dir}; start one with `sevenstep serve`")
    try:
        with Client(file.address, file.token) as client:
            yield client
    except ClientError as error:
        fail(str(error))
