"""Studies as lines of a list that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from service.views.format import mark

if TYPE_CHECKING:
    from service.views.models import StudySummary

NAME_SHARE = 0.5
"""Of what is left of a line beside id and state, for a name that leaves too little for more."""


def terminal_width() -> int | None:
    """Columns of the terminal that is written to; None for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def study_line(study: StudySummary, width: int | None) -> str:
    """A study's id, state, name and last sentence; the latter two cut to the width.

    Args:
        study: The study.
        width: Columns that the line may take; None: as many as it needs. The id and the state
            are whole in any case.
    """
    shown = mark(study.state)
    head = f"{study.id}  {shown.sign} {shown.word:<12}  "
    if width is None:
        return f"{head}{study.name}: {study.sentence}"
    left = max(0, width - len(head))
    name = study.name
    if _width(f"{name}: {study.sentence}") > left:
        name = _cut(name, max(1, int(NAME_SHARE * left)))
    return head + _cut(f"{name}: {study.sentence}", left)


def _width(text: str) -> int:
    from rich.cells import cell_len  # a Chinese character takes two columns

    return cell_len(text)


def _cut(text: str, width: int) -> str:
    from rich.text import Text

    shown = Text(text)
    shown.truncate(width, overflow="ellipsis")
    return shown.plain
