"""``db``: the database's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.commands.console import clear_errors, settings_of

commands = typer.Typer(help="The database.", no_args_is_help=True)


@commands.callback()
def db() -> None:
    """The database."""


@commands.command()
def upgrade(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the SQLite file.")] = None,
) -> None:
    """Bring the database to this release's schema."""
    settings = settings_of(data_dir=data_dir)
    from service.database.engine import Database
    from service.database.lock import lock_database
    from service.settings import prepare_data_dir

    with clear_errors():
        prepare_data_dir(settings)
        with lock_database(settings):
            database = Database(settings.resolved_database_url)
            try:
                database.upgrade()
                database.check_schema()
            finally:
                database.dispose()
    typer.echo("The database has this release's schema.")


@commands.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not be there yet.")],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the SQLite file.")] = None,
) -> None:
    """Back a SQLite installation up, while its service runs or not."""
    settings = settings_of(data_dir=data_dir)
    from service.use_cases.backup import back_up

    with clear_errors():
        num_artifacts = back_up(settings, folder)
    typer.echo(f"Backed up to {folder}: the database and {num_artifacts} artifacts.")
