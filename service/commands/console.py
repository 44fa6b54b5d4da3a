"""What commands share: settings from options, and one clear line for an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from recipes.redaction import redact

if TYPE_CHECKING:
    from service.settings import Settings

STARTED = time.monotonic() - time.process_time()
"""When the user pressed Enter, nearly: this is loaded early, and what went before was work."""


def seconds_since_start() -> float:
    """Time since this command was started."""
    return time.monotonic() - STARTED


def settings_of(**options: Any) -> Settings:
    """The settings: options that were given, else the environment, else defaults.

    Ends the command with one clear line, which names option or variable, value and cure, where
    a value does not fit.
    """
    from pydantic import ValidationError

    from service.settings import Settings

    with clear_errors():
        try:
            return Settings(
                **{name: value for name, value in options.items() if value is not None}
            )
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            name = str(found["loc"][0])
            is_option = options.get(name) is not None
            field = f"--{name.replace('_', '-')}" if is_option else f"SEVENSTEP_{name.upper()}"
            fail(misfit(field, found["input"], found["msg"]))


@contextmanager
def clear_errors() -> Iterator[None]:
    """Errors that a person can mend become one line and exit code 1."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from recipes.secret_file import SecretFileError
    from service.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        fail(error.detail)
    except SecretFileError as error:
        fail(str(error))
    except DBAPIError as error:
        lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        fail(f"the database cannot be used: {lines[0]}; check SEVENSTEP_DATABASE_URL")
    except ArgumentError as error:
        fail(f"SEVENSTEP_DATABASE_URL: {error}")


def misfit(field: str, value: object, reason: str) -> str:
    """What does not fit in one line: field, value and what would."""
    reason = reason.removeprefix("Value error, ")
    return f"{field}: {value!r} does not fit; {reason[:1].lower()}{reason[1:]}"


def whole_number(option: str, low: int, high: int) -> Callable[[object], int]:
    """A reader of an option's text; ends the command with code 2 for anything else.

    Args:
        option: As people write it: ``--seed``.
        low: The least that fits.
        high: The most that fits.
    """

    def read(text: object) -> int:
        try:
            value = int(str(text))
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            cure = f"give a whole number from {low} to {high}"
            fail(f"{option}: {text!r} does not fit; {cure}", code=2)
        return value

    return read


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Say why, and end."""
    typer.echo(f"sevenstep: {redact(message)}", err=True)
    raise typer.Exit(code)
