"""Trials as CSV: a line each, hyperparameters as columns, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from sqlalchemy.orm import Session

from service.repositories import studies
from service.repositories import trials as repository
from service.use_cases import trials
from service.views.models import TrialSummary

BATCH = 500
"""Trials read in one transaction: none is held open while a slow reader reads."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take text for a formula (OWASP, "CSV Injection")."""
COLUMNS = (
    *("number", "step", "round", "pass", "purpose", "label", "state", "cause"),
    *("seed", "data_seed", "value", "standard_error", "best_epoch", "num_epochs"),
    *("iterations", "seconds", "engine", "num_together", "engine_reason"),
)

Reading = Callable[[], AbstractContextManager[Session]]


def lines(reading: Reading, uid: str) -> Iterator[str]:
    """A study's trials by number, a batch of lines at a time, a header first.

    Hyperparameters are columns named ``param.lr`` and so on, in the order in which trials
    have them. Text that a spreadsheet would take for a formula has an apostrophe before it.

    Args:
        reading: Opens a read session.
        uid: The study, which must be there: a stream that has begun cannot say otherwise.
    """
    with reading() as session:
        study = studies.require(session, uid)
        found = repository.light(session, study.id)
        names = list(dict.fromkeys(name for each in found for name in json.loads(each.params)))
    yield _line([*COLUMNS, *(_safe(f"param.{name}") for name in names)])
    after = -1
    while True:
        with reading() as session:
            study = studies.require(session, uid)
            batch = trials.summaries(session, study, after=after, limit=BATCH)
        if not batch:
            return
        yield "".join(_line(_cells(trial, names)) for trial in batch)
        after = batch[-1].number


def _cells(trial: TrialSummary, names: list[str]) -> list[object]:
    row = trial.model_dump(mode="json", by_alias=True)
    return [
        *(_safe(row[column]) for column in COLUMNS),
        *(_safe(trial.params.get(name)) for name in names),
    ]


def _safe(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _line(cells: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
