"""What every reader makes of its format: a table, before anybody says what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from recipes.training_logs.names import Role

Cells = list[float | None]
"""One column: None where the file says nothing, NaN and infinities where it says so."""


@dataclass
class Table:
    """Rows of one piece of a file, by column.

    Attributes:
        name: Of the run, where the file tells; else empty.
        columns: Numbers by the column's name as the file has it, all of one length.
        labels: Texts by column: what tells runs or splits apart.
        num_epochs: How many epochs the log says it was to have, if it does.
        sample_counts: Samples of a split (``train``, ``val``, ``test``), where the log tells.
        percents: Columns whose numbers stand with a percent sign.
        notes: What the reader saw and left out.
        told: Roles that a person gave, by the names that the columns have now.
    """

    name: str = ""
    columns: dict[str, Cells] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    num_epochs: int | None = None
    sample_counts: dict[str, int] = field(default_factory=dict)
    percents: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    told: dict[str, Role] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Rows; the same for every column."""
        lengths = [*map(len, self.columns.values()), *map(len, self.labels.values())]
        return lengths[0] if lengths else 0

    def part(self, rows: list[int], *, name: str | None = None) -> Table:
        """Some of its rows, in the order given, as a table of their own."""
        return Table(
            self.name if name is None else name,
            {key: [cells[row] for row in rows] for key, cells in self.columns.items()},
            {key: [cells[row] for row in rows] for key, cells in self.labels.items()},
            self.num_epochs,
            dict(self.sample_counts),
            set(self.percents),
            list(self.notes),
            dict(self.told),
        )


def table_of_rows(rows: list[dict[str, float | str]], *, name: str = "") -> Table:
    """A table from rows that need not have the same keys.

    A key whose values are mostly texts becomes a label. A row without a key has None there.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(name)
    for key in keys:
        values = [row.get(key) for row in rows]
        texts = sum(isinstance(value, str) for value in values)
        numbers = sum(isinstance(value, float) for value in values)
        if texts > numbers:
            table.labels[key] = ["" if value is None else str(value) for value in values]
            continue
        table.columns[key] = [value if isinstance(value, float) else None for value in values]
        if texts:
            some = (
                "1 value is no number and was"
                if texts == 1
                else f"{texts} values are no numbers and were"
            )
            table.notes.append(f"{key}: {some} left out")
    return table
