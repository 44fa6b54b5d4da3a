"""TensorBoard event files, read by TensorBoard's own loader (the extra ``logs``)."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from recipes.training_logs.errors import LogError
from recipes.training_logs.names import SPLITS, role_of
from recipes.training_logs.table import Table

MISSING = (
    "a TensorBoard event file needs TensorBoard's reader, which is not installed; pip install "
    "'tensorboard>=2.16'"
)


def read_events(path: Path) -> Table:
    """The scalars of an event file: a row a step, a column a tag.

    A tag that has several values at a step keeps the last, as TensorBoard shows it. Tags in a
    folder called after a split (Keras's ``train`` and ``validation``, ``loss_val`` as
    ``add_scalars`` makes it) are of that split.

    Raises:
        LogError: TensorBoard's reader is not installed, the file is damaged before its first
            scalar, or it has none.
    """
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util import tensor_util
    except ModuleNotFoundError as error:
        raise LogError(MISSING) from error
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    rows: dict[int, dict[str, float]] = {}
    tags: dict[str, None] = {}
    broken = ""
    folder = path.parent.name
    split = SPLITS.get(folder.lower(), "") or role_of(folder).split
    try:
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                array = (
                    tensor_util.make_ndarray(value.tensor) if value.HasField("tensor") else None
                )
                if array is None or array.size != 1 or array.dtype.kind not in "fiu":
                    continue
                is_open = split and not role_of(value.tag).split
                tag = f"{split} {value.tag}" if is_open else value.tag
                tags[tag] = None
                rows.setdefault(int(event.step), {})[tag] = float(array.reshape(-1)[0])
    except (
        Exception
    ) as error:  # a damaged record ends what can be read; which type is TensorBoard's
        broken = f"the file is damaged after step {max(rows, default=0)} ({type(error).__name__})"
    if not rows:
        raise LogError(f"the event file holds no scalar; {broken or 'log some with add_scalar'}")
    steps = sorted(rows)
    table = Table()
    table.columns["step"] = [float(step) for step in steps]
    for tag in tags:
        table.columns[tag] = [rows[step].get(tag) for step in steps]
    if broken:
        table.notes.append(broken)
    if not any(math.isfinite(v) for tag in tags for v in table.columns[tag] if v is not None):
        raise LogError("the event file holds no finite number")
    return table


def told_apart(tables: Sequence[Table]) -> list[list[Table]]:
    """The tables of a folder's files by run, in the order the files were written in.

    A file that has a tag of an earlier one, and has it from the same step or an earlier one
    on, is of another run; one that goes on later is a resumed run's, and one of other tags
    is of the same run.
    """
    runs: list[list[Table]] = []
    for table in tables:
        starts = [_starts(each) for each in (runs[-1] if runs else [])]
        begins_anew = any(
            tag in earlier and first <= earlier[tag]
            for tag, first in _starts(table).items()
            for earlier in starts
        )
        if runs and not begins_anew:
            runs[-1].append(table)
        else:
            runs.append([table])
    return runs


def _starts(table: Table) -> dict[str, float]:
    """The first step of each tag."""
    steps = table.columns["step"]
    return {
        tag: min(
            s for s, value in zip(steps, cells, strict=True) if value is not None and s is not None
        )
        for tag, cells in table.columns.items()
        if tag != "step"
    }


def joined(tables: Sequence[Table]) -> Table:
    """The tables of one run's files as one, by step: a folder a split, or files that go on."""
    steps = sorted(
        {step for table in tables for step in table.columns["step"] if step is not None}
    )
    place = {step: row for row, step in enumerate(steps)}
    whole = Table(columns={"step": list(steps)})
    for table in tables:
        whole.notes += table.notes
        for tag, cells in table.columns.items():
            if tag == "step":
                continue
            column = whole.columns.setdefault(tag, [None] * len(steps))
            for step, value in zip(table.columns["step"], cells, strict=True):
                if step is not None and value is not None:
                    column[place[step]] = value
    return whole
