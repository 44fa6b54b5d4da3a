"""The console door: gathers the commands of the halves that are installed here."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

GROUP = "sevenstep.commands"


def build() -> typer.Typer:
    """The command line, with every installed half's commands on it.

    An entry point in the group is a function that takes the Typer application and adds
    its commands. A half whose packages are not installed is left out; a half that is
    broken otherwise fails loudly.
    """
    app = typer.Typer(
        name="sevenstep",
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback(no_args_is_help=True)(_door)
    for entry_point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            add_commands = entry_point.load()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ("recipes", "service", "worker"):
                raise
            continue
        add_commands(app)
    return app


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"sevenstep {version('sevenstep')}")
        raise typer.Exit


def _door(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="The installed release.", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Finds hyperparameters the way a good practitioner does, and explains itself."""


def main() -> None:
    """Run the command line."""
    sys.exit(build()())


if __name__ == "__main__":
    main()
