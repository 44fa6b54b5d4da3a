"""``study report``, ``trials``, ``curves``, ``findings``, ``export``: what a study found out."""

from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.trial import TrialState
from service.commands.console import fail, whole_number
from service.commands.study import AsJson, DataDir, StudyId, running_service

if TYPE_CHECKING:
    from service.views.models import TrialSummary

NUM_VALUES = 5
"""Values of a curve shown in a line; all of them with --json."""


class ReportFormat(enum.StrEnum):
    """How a report is written."""

    MD = "md"
    JSON = "json"


def add_to(commands: typer.Typer) -> None:
    """Add these commands to ``study``."""
    for command in (report, trials, curves, findings, export):
        commands.command()(command)


def report(
    study: StudyId,
    format: Annotated[
        ReportFormat, typer.Option(help="md: Markdown, for people; json: the whole document.")
    ] = ReportFormat.MD,
    data_dir: DataDir = None,
) -> None:
    """A study's report on standard output."""
    with running_service(data_dir) as client:
        typer.echo(client.document(study, f"report.{format.value}").rstrip("\n"))


def trials(
    study: StudyId,
    step: Annotated[
        int | None,
        typer.Option(parser=whole_number("--step", 1, 7), metavar="N", help="Of this step alone."),
    ] = None,
    state: Annotated[TrialState | None, typer.Option(help="In this state alone.")] = None,
    sort: Annotated[
        str | None, typer.Option(help="number, value or a hyperparameter; -value: downwards.")
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            parser=whole_number("--limit", 1, 10_000), metavar="N", help="Most trials shown."
        ),
    ] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """A study's trials: setting, state and value of each."""
    with running_service(data_dir) as client:
        known = client.trials(study, step=step, state=state, sort=sort, limit=limit + 1)
    found = known[:limit]
    if as_json:
        typer.echo("[" + ",\n".join(each.model_dump_json() for each in found) + "]")
        return
    for each in found:
        typer.echo(_line(each))
    if not found:
        typer.echo("No such trials.")
    elif len(known) > limit:
        typer.echo(f"Showing {len(found)}; --limit shows more.")


def curves(
    study: StudyId,
    trial: Annotated[
        int,
        typer.Argument(
            parser=whole_number("TRIAL", 0, 2**31 - 1),
            metavar="TRIAL",
            help="The trial's number.",
        ),
    ],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """A trial's curves: the first and last values of each, or all of them."""
    with running_service(data_dir) as client:
        found = client.curves(study, trial)
    if as_json:
        typer.echo(found.model_dump_json(indent=2, by_alias=True))
        return
    for curve in found.curves:
        points = list(zip(curve.iterations, curve.values, strict=True))
        shown = points if len(points) <= 2 * NUM_VALUES else None
        head, tail = (shown, []) if shown else (points[:NUM_VALUES], points[-NUM_VALUES:])
        text = "  ".join(f"{iteration}: {value:.4g}" for iteration, value in head)
        if tail:
            text += "  …  " + "  ".join(f"{iteration}: {value:.4g}" for iteration, value in tail)
        typer.echo(f"{curve.metric} on {curve.split} ({len(points)} points)  {text}")
    if not found.curves:
        typer.echo("No points yet.")


def findings(study: StudyId, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """What the rules saw in a study, with the next action of each."""
    from service.views.format import mark

    with running_service(data_dir) as client:
        found = client.findings(study)
    if as_json:
        typer.echo("[" + ",\n".join(each.model_dump_json() for each in found) + "]")
        return
    for finding in found:
        where = "" if finding.trial is None else f" (trial {finding.trial})"
        typer.echo(f"{mark(finding.severity).sign} {finding.code}{where}: {finding.sentence}")
        typer.echo(f"  → {finding.action}")
    typer.echo("sevenstep explain CODE says more." if found else "No findings.")


def export(
    study: StudyId,
    output: Annotated[
        Path | None, typer.Option(help="File to write; standard output if none.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """A study's trials as CSV, a row a trial."""
    with running_service(data_dir) as client:
        text = client.document(study, "trials.csv")
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, newline="")
    except OSError as error:
        fail(f"--output: {str(output)!r} cannot be written ({error.strerror}); name another file")
    typer.echo(f"Wrote {output}.")


def _line(trial: TrialSummary) -> str:
    from service.commands.wording import estimate, setting
    from service.views.format import mark

    shown = mark(trial.state)
    value = "-"
    if trial.value is not None:
        error = math.nan if trial.standard_error is None else trial.standard_error
        value = estimate(trial.value, error)
    return (
        f"{trial.number:>5}  step {trial.step}  {shown.sign} {shown.word:<13}"
        f"  {value:<17}  {setting(trial.params)}"
    )
