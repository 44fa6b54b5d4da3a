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
