"""Use case: runs that were not made here, read and diagnosed."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from recipes.training_logs.diagnosis import RunDiagnosis, diagnose
from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import LogReading, read_values
from recipes.value import Value
from service.errors import InvalidInput


class Refused(Value):
    """A file, or one run of it, that could not be read without guessing too much."""

    name: str
    source: str
    why: str


class Diagnosis(Value):
    """What ``sevenstep diagnose --json`` prints and ``POST /api/v1/diagnose`` answers."""

    runs: tuple[RunDiagnosis, ...] = ()
    refused: tuple[Refused, ...] = ()


class DiagnoseRequest(Value):
    """Curves in.

    Attributes:
        curves: Lists by column (``{"train_loss": [...], "val_loss": [...]}``), rows
            (``[{"epoch": 1, "loss": ...}, ...]``), or either by run's name. Non-finite
            numbers as the strings ``NaN``, ``Infinity`` and ``-Infinity``; null for "not
            measured".
        options: What is told rather than guessed.
    """

    name: str = Field(default="request", min_length=1, max_length=200)
    curves: dict[str, Any] | list[Any]
    options: LogOptions = Field(default_factory=LogOptions)


def diagnosis_of(reading: LogReading, source: str) -> Diagnosis:
    """Every run of a reading, diagnosed; what was refused beside them."""
    return Diagnosis(
        runs=tuple(diagnose(run) for run in reading.runs),
        refused=tuple(Refused(name=name, source=source, why=why) for name, why in reading.refused),
    )


def diagnose_curves(request: DiagnoseRequest) -> Diagnosis:
    """Diagnose curves.

    Raises:
        InvalidInput: They hold no curve, or nothing of them can be read.
    """
    try:
        reading = read_values(request.curves, request.options, source=request.name)
    except LogError as error:
        raise InvalidInput("curves", _shown(request.curves), _for_request(str(error))) from error
    if reading.refused and not reading.runs:
        raise InvalidInput("curves", _shown(request.curves), _for_request(reading.refused[0][1]))
    return diagnosis_of(reading, request.name)


def _for_request(why: str) -> str:
    """The reason with a request's fields in place of the command's options."""
    return why.replace("--map", "options.names:").replace("--unit", "options.unit")


def _shown(curves: object) -> str:
    """The names in it, or what it is."""
    if isinstance(curves, dict):
        return ", ".join(map(str, list(curves)[:8])) or "{}"
    return f"{len(curves)} rows" if isinstance(curves, list) else "?"
