"""The console door: gathers the commands of the halves that are installed here."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

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
        help="Finds hyperparameters the way a good practitioner does, and explains itself.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for entry_point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            add_commands = entry_point.load()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ("recipes", "service", "worker"):
                raise
            continue
        add_commands(app)
    return app


def main() -> None:
    """Run the command line."""
    sys.exit(build()())


if __name__ == "__main__":
    main()
