"""``diagnose``: what is wrong with runs that were not made here, from their logs."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.console import fail, whole_number

if TYPE_CHECKING:
    from recipes.training_logs.options import LogOptions
    from service.use_cases.diagnoses import Diagnosis


class LogKind(enum.StrEnum):
    """What a run learned."""

    CLASSIFICATION = "classification"
    BINARY = "binary"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"
    CUSTOM = "custom"


class Unit(enum.StrEnum):
    """How accuracies are written."""

    FRACTION = "fraction"
    PERCENT = "percent"


class Rows(enum.StrEnum):
    """What a row is."""

    EPOCHS = "epochs"
    ITERATIONS = "iterations"


class Schedule(enum.StrEnum):
    """How the learning rate went."""

    CONSTANT = "constant"
    DECAYED = "decayed"


class Direction(enum.StrEnum):
    """Which way is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class TrainMode(enum.StrEnum):
    """How train metrics were taken."""

    TRAIN = "train"
    EVAL = "eval"


def diagnose(
    logfiles: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOGFILE...",
            help="CSV, JSON, JSON lines, TensorBoard event files, Markdown tables, plain logs; "
            "each may be packed with gzip; a folder stands for the event files in it.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page that needs nothing else to this file.")
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            parser=whole_number("--n", 1, 2**31 - 1),
            metavar="N",
            help="Validation samples; inferred from the accuracies where they tell.",
        ),
    ] = None,
    n_train: Annotated[
        int | None,
        typer.Option(
            parser=whole_number("--n-train", 1, 2**31 - 1),
            metavar="N",
            help="Samples that train metrics are over.",
        ),
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=WHAT",
            help="What a column is: val_accuracy, train_loss, epoch, lr, run, ignore... "
            "Repeatable.",
        ),
    ] = None,
    kind: Annotated[LogKind | None, typer.Option(help="What was learned.")] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            parser=whole_number("--classes", 2, 10_000_000),
            metavar="C",
            help="Number of classes.",
        ),
    ] = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Which way the metric is better.")
    ] = None,
    unit: Annotated[Unit | None, typer.Option(help="How accuracies are written.")] = None,
    rows: Annotated[Rows | None, typer.Option(help="What a row is.")] = None,
    lr: Annotated[float | None, typer.Option(help="The learning rate.")] = None,
    schedule: Annotated[Schedule | None, typer.Option(help="How the learning rate went.")] = None,
    train_mode: Annotated[
        TrainMode,
        typer.Option(
            help="eval: train metrics are of each epoch's final model in eval mode, not means "
            "over the epoch."
        ),
    ] = TrainMode.TRAIN,
) -> None:
    """Diagnose runs that were not made here, from their logs.

    What is guessed is said, and can be told instead. Exit code 0: everything was read;
    1: a file or a run of it was not; 2: wrong usage.
    """
    from service.use_cases.diagnoses import Diagnosis

    options = _options(
        map or [],
        num_val=n,
        num_train=n_train,
        kind=kind,
        num_classes=classes,
        direction=direction,
        unit=unit,
        rows=rows,
        lr=lr,
        schedule=schedule,
        train_mode=train_mode,
    )
    parts = [_of_source(path, files, options) for path, files in _sources(logfiles)]
    found = Diagnosis(
        runs=tuple(run for part in parts for run in part.runs),
        refused=tuple(each for part in parts for each in part.refused),
    )
    _say(found, as_json=as_json, html=html)
    if found.refused:
        raise typer.Exit(1)


def _say(found: Diagnosis, *, as_json: bool, html: Path | None) -> None:
    from service.commands.diagnose_page import html_of
    from service.commands.diagnose_words import lines_of

    if as_json:
        typer.echo(found.model_dump_json(indent=2, exclude={"runs": {"__all__": {"figures"}}}))
    else:
        for run in found.runs:
            for line in lines_of(run):
                typer.echo(line)
            typer.echo("")
    for each in found.refused:
        where = each.source if each.name == each.source else f"{each.source}, {each.name}"
        typer.echo(f"sevenstep: {where}: {each.why}", err=True)
    if html is not None:
        try:
            html.write_text(html_of(found), encoding="utf-8")
        except OSError as error:
            fail(f"--html: {str(html)!r} cannot be written ({error.strerror}); name another file")
        typer.echo(f"Wrote {html}.", err=as_json)


def _options(names: Sequence[str], **told: object) -> LogOptions:
    """The options; ends the command with code 2 where one does not fit."""
    from pydantic import ValidationError

    from recipes.training_logs.errors import LogError
    from recipes.training_logs.options import LogOptions, told_role

    mapped: dict[str, str] = {}
    for text in names:
        column, equals, what = text.rpartition("=")
        if not equals or not column or not what:
            fail(f"--map: {text!r} does not fit; give COLUMN=WHAT, as in err=val_error", code=2)
        try:
            told_role(column, what)
        except LogError as error:
            fail(str(error), code=2)
        mapped[column] = what
    given = {name: value for name, value in told.items() if value is not None}
    try:
        return LogOptions.model_validate({"names": mapped, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).replace("_", "-")
        fail(f"--{name}: {first['input']!r} does not fit; {first['msg'].lower()}", code=2)


def _of_source(path: Path, files: Sequence[Path], options: LogOptions) -> Diagnosis:
    from recipes.training_logs.errors import LogError
    from service.use_cases.diagnoses import Diagnosis, Refused, diagnosis_of
    from service.use_cases.log_files import read_log_files

    source = str(path)
    try:
        return diagnosis_of(read_log_files(files, options, source=source), source)
    except LogError as error:
        return Diagnosis(refused=(Refused(name=source, source=source, why=str(error)),))


def _sources(paths: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    from recipes.training_logs.errors import LogError
    from service.use_cases.log_files import log_sources

    try:
        return list(log_sources(paths))
    except LogError as error:
        fail(str(error))
