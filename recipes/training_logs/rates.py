"""The learning rate of a run: its value, and whether it was changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

from recipes.training_logs.names import Role
from recipes.training_logs.options import LogOptions
from recipes.training_logs.table import Table

SAME = 1e-3
"""Relative difference below which two printed rates are one (ours: they are rounded)."""

OFTEN = 0.5
"""Rates told for each evaluation from which equal ones say that the rate was constant; one told
at the head of a log says where it began (ours)."""

WARM_UP = 0.5
"""Share of the rows that may rise to a rate that then stays: from there on a warm-up takes half
of the run, which is a fault of its own (``schedule_misfit``)."""


def learning_rate(
    table: Table, roles: Mapping[str, Role], options: LogOptions, num_evaluations: int
) -> tuple[float, Literal["constant", "decayed", "unknown"]]:
    """The highest rate, NaN when unknown, and how it went.

    A rate that only rises at first and then stays is constant; any other change counts as
    a decay, because what rests on a constant rate must not be said of it. One that is told
    hardly ever says nothing of the rest.
    """
    # One that is told once, with the settings, gives way to one that is told on the way.
    names = sorted(
        (name for name in table.columns if roles[name].what == "lr"),
        key=lambda name: table.columns[name].count(None),
    )
    values = [v for name in names[:1] for v in table.columns[name] if v is not None]
    values = [value for value in values if math.isfinite(value) and value > 0]
    if not values:
        schedule = options.schedule or ("constant" if options.lr is not None else "unknown")
        return (math.nan if options.lr is None else options.lr), schedule
    highest = max(values)
    least = highest * (1 - SAME)
    settled_at = next(at for at, value in enumerate(values) if value >= least)
    climbs = all(a <= b for a, b in pairwise(values[: settled_at + 1]))
    is_short = settled_at <= WARM_UP * len(values)
    is_constant = climbs and is_short and min(values[settled_at:]) >= least
    if options.schedule is not None or not is_constant:
        return highest, options.schedule or "decayed"
    return highest, "constant" if len(values) >= OFTEN * num_evaluations else "unknown"
