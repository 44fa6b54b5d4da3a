"""Plain training logs: lines in which a metric's name stands before its number."""

from __future__ import annotations

import re
from collections.abc import Collection

from recipes.training_logs.cells import ESCAPES
from recipes.training_logs.headings import note_counts, note_heading
from recipes.training_logs.names import SPLITS, role_of, words_of
from recipes.training_logs.pairs import pairs_of
from recipes.training_logs.plain_state import LogState
from recipes.training_logs.progress import BAR, announced_epochs, take_place
from recipes.training_logs.table import Table, table_of_rows

MAX_LINE = 5_000
"""Characters of a line that is looked at; longer ones are no line of metrics."""

SETTING = "lr"
"""Column of a rate that is told with a run's settings: its first row has it."""

RATE = frozenset(("lr", "learningrate", *SPLITS))
"""Words of a rate's own name: ``lr_decay`` has another. A split named before it means nothing."""

SUMMARY = re.compile(r"\b(best|final|finally|overall best)\b", re.IGNORECASE)
"""Words that make of a line a summary of others."""


def read_plain(text: str, told: Collection[str] = ()) -> list[Table]:
    """The rows of a log: one for each line that tells a metric; empty when none does.

    A line belongs to the epoch named last, at or before it. A split's name holds for what
    follows it in its line, or, alone in a line, until the next epoch. Numbers of progress
    bars that are not at their end are left out: they are running means.
    """
    state = LogState(told=told)
    rows: list[dict[str, float | str]] = []
    was_bar = False
    for raw in re.split(r"\r\n|\n|\r|\x08{2,}", text):
        line = ESCAPES.sub("", raw)
        if len(line) > MAX_LINE:
            continue
        row = _row(line, state)
        if not row:
            continue
        # A bar at its end is printed again when validation is through.
        is_bar = BAR.search(line) is not None
        if (
            is_bar
            and was_bar
            and rows[-1].get("epoch") == state.epoch
            and rows[-1].keys() <= {*row, SETTING}
        ):
            row = {**rows.pop(), **row}
        if state.lr is not None and any(role_of(key).what == "metric" for key in row):
            row.setdefault(SETTING, state.lr)
            state.lr = None
        rows.append(row)
        was_bar = is_bar
    if not any(key in told or role_of(key).what == "metric" for row in rows for key in row):
        return []
    if not any(row.get("run") for row in rows):
        rows = [{key: value for key, value in row.items() if key != "run"} for row in rows]
    table = table_of_rows(rows)
    table.num_epochs = state.num_epochs
    table.sample_counts = state.counts
    table.percents = state.percents
    return [table]


def _row(line: str, state: LogState) -> dict[str, float | str]:
    note_heading(line, state)
    if not any(character.isdigit() for character in line) and "nan" not in line.lower():
        return {}
    note_counts(line, state)
    if _is_of_settings(line, state):
        return {}
    line, iteration, is_partial = take_place(line, state)
    if is_partial:
        return {}
    summary = SUMMARY.search(line)
    if summary is not None:
        line = line[: summary.start()]
    pairs = pairs_of(line, state)
    if not pairs:
        return {}
    row: dict[str, float | str] = {}
    if state.epoch is not None:
        row["epoch"] = state.epoch
    if state.run:
        row["run"] = state.run
    roles = {name: role_of(name) for name in pairs}
    if iteration is not None:
        row["iteration"] = iteration
    # With an epoch and a place within it, and nothing of validation, a line is of one batch.
    is_batch = (
        iteration is not None
        and state.epoch is not None
        and not any(role.split in ("val", "test") for role in roles.values())
    )
    for name, value in pairs.items():
        is_metric = roles[name].what == "metric"
        row[f"{name} batch" if is_batch and is_metric else name] = value
    return row


def _is_of_settings(line: str, state: LogState) -> bool:
    """Whether a line announces so many epochs and measures nothing; what it tells is noted."""
    number = announced_epochs(line, state)
    if number is None:
        return False
    pairs = pairs_of(line, state)
    if any(role_of(name).what != "lr" for name in pairs):
        return False
    if state.epoch is None:
        state.num_epochs = max(number, state.num_epochs or 0)  # fewer may be those of a warm-up
    elif state.num_epochs != number:
        state.num_epochs = None  # the runs of this file differ, and none is known to be cut off
    rates = [value for name, value in pairs.items() if RATE.issuperset(words_of(name))]
    state.lr = rates[0] if rates else state.lr
    return True
