"""The service half's commands. Each loads what it needs when it runs, so that help is quick."""

from __future__ import annotations

import typer

from service.commands import database, diagnose, explain, run, serve, study, study_results, token


def commands(app: typer.Typer) -> None:
    """Add this half's commands to the command line."""
    app.command()(run.demo)
    app.command()(run.run)
    app.command()(run.check)
    app.command("lr-find")(run.lr_find)
    app.command()(diagnose.diagnose)
    app.command()(explain.explain)
    app.command()(serve.serve)
    app.command()(serve.conductor)
    study_results.add_to(study.commands)
    app.add_typer(study.commands, name="study")
    app.add_typer(token.commands, name="token")
    app.add_typer(database.commands, name="db")
