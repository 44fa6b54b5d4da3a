"""``token``: who may ask the service for what.

Tokens are made, listed and revoked in the database itself: that works before the first start
and beside a service that runs, and needs no token, as whoever may write the database may do
anything anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.console import clear_errors, fail, settings_of

if TYPE_CHECKING:
    from datetime import datetime

    from service.database.engine import Database
    from service.settings import Settings
    from service.views.token_views import TokenView

commands = typer.Typer(help="Tokens of the service.", no_args_is_help=True)
DataDir = Annotated[Path | None, typer.Option(help="Data directory of the service.")]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]
UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
MOST_DIGITS = 6
MOST_LISTED = 1000


@commands.command()
def create(
    name: Annotated[str, typer.Option(help="What people call it.")],
    scope: Annotated[str, typer.Option(help="read, write, admin or worker.")],
    expires: Annotated[
        str | None, typer.Option(help="After 30d, 12h, 4w, 90m; never unless given.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make a token. It is printed this once, alone on standard output, and stored nowhere."""
    from pydantic import ValidationError

    from service.views.token_views import NewToken, make

    lifetime = None if expires is None else lifetime_of(expires)
    seconds = None if lifetime is None else int(lifetime.total_seconds())
    try:
        asked = NewToken.model_validate(
            {"name": name, "scope": scope, "lifetime_seconds": seconds}
        )
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        option = {"lifetime_seconds": "expires"}.get(str(found["loc"][0]), str(found["loc"][0]))
        cures = {"scope": "give read, write, admin or worker", "name": "give 1 to 100 characters"}
        cure = cures.get(option, str(found["msg"]))
        fail(f"--{option}: {expires if option == 'expires' else found['input']!r}: {cure}", code=2)
    with _database(data_dir) as database, database.write() as session:
        made = make(session, asked)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    until = (
        "does not expire"
        if made.expires_at is None
        else f"is good until {_moment(made.expires_at)}"
    )
    typer.echo(f"Token {made.id} ({made.scope}) {until}. It is printed this once.", err=True)
    typer.echo(made.token)


@commands.command("list")
def list_tokens(
    ended: Annotated[
        bool, typer.Option("--ended", help="Those too that expired or were revoked.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """The tokens and signed-in browsers of the service, newest first; never their secrets."""
    from service.views.token_views import list_tokens

    with _database(data_dir) as database, database.read() as session:
        page = list_tokens(session, good_only=not ended, limit=MOST_LISTED)
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
        return
    for token in page.items:
        typer.echo(_line(token))
    if not page.items:
        typer.echo("No tokens. The first start of `sevenstep serve` makes one.", err=True)
    if page.next_cursor is not None:
        typer.echo(
            f"There are more than {MOST_LISTED}: the REST interface has them all.", err=True
        )


@commands.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `token list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Make a token worthless, within a second and for good; sessions it opened go with it."""
    from service.use_cases.tokens import revoke

    with _database(data_dir) as database, database.write() as session:
        revoke(session, token)
    typer.echo(f"Token {token} is worthless now.")


@commands.command()
def link(
    to: Annotated[str, typer.Option(help="Path of the page that it leads to.")] = "/studies",
    data_dir: DataDir = None,
) -> None:
    """A link to the service that runs on this machine; it signs one browser in, once."""
    settings = settings_of(data_dir=data_dir)
    from service.commands.login_link import login_link
    from service.server import server_file

    file = server_file.read(settings.data_dir)
    if file is None or not file.is_alive:
        fail(
            f"no service runs on {settings.data_dir}; start one with `sevenstep serve`, or say"
            " which with --data-dir"
        )
    typer.echo(login_link(file, to))


def lifetime_of(text: str) -> timedelta:
    """What ``30d``, ``12h``, ``4w`` or ``90m`` mean. Ends the command on anything else."""
    number, unit = text[:-1], text[-1:]
    if unit in UNITS and number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS:
        lifetime = int(number) * UNITS[unit]
        if lifetime:
            return lifetime
    fail(f"--expires: {text!r} does not fit; give 30d, 12h, 4w or 90m", code=2)


@contextmanager
def _database(data_dir: Path | None) -> Iterator[Database]:
    settings = settings_of(data_dir=data_dir)
    from service.database.engine import Database

    with clear_errors():
        database = Database(settings.resolved_database_url)
        try:
            _check(database, settings)
            yield database
        finally:
            database.dispose()


def _check(database: Database, settings: Settings) -> None:
    """Make a SQLite file that is not there yet, or of an older release, as `serve` would."""
    from service.database.lock import lock_database
    from service.errors import SchemaTooOld
    from service.settings import prepare_data_dir

    prepare_data_dir(settings)
    try:
        database.check_schema()
    except SchemaTooOld:
        if not database.is_sqlite:
            raise
        with lock_database(settings):
            database.upgrade()


def _line(token: TokenView) -> str:
    whose = token.name if token.opened_by is None else f"{token.name}, opened by {token.opened_by}"
    if token.revoked_at is not None:
        until = f"revoked {_moment(token.revoked_at)}"
    elif token.expires_at is not None:
        until = f"until {_moment(token.expires_at)}"
    else:
        until = "does not expire"
    return f"{token.id}  {token.scope:<6}  {token.kind:<7}  {until:<29}  {whose}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
