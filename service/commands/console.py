"""What commands share: settings from options, and one clear line for an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from service.settings import Settings


def settings_of(**options: Any) -> Settings:
    """The settings: options that were given, else the environment, else defaults.

    Ends the command with one clear line where a value does not fit.
    """
    from pydantic import ValidationError

    from service.settings import Settings

    with clear_errors():
        try:
            return Settings(
                **{name: value for name, value in options.items() if value is not None}
            )
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            fail(f"{'.'.join(map(str, found['loc']))}: {found['msg']}")


@contextmanager
def clear_errors() -> Iterator[None]:
    """Errors that a person can mend become one line and exit code 1."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from service.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        fail(error.detail)
    except DBAPIError as error:
        lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        fail(f"the database cannot be used: {lines[0]}; check SEVENSTEP_DATABASE_URL")
    except ArgumentError as error:
        fail(f"SEVENSTEP_DATABASE_URL: {error}")


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Say why, and end."""
    typer.echo(f"sevenstep: {message}", err=True)
    raise typer.Exit(code)
