"""Trials as a table: a column for each hyperparameter that varies, rows in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from recipes.trial import TrialState
from service.views.format import number, plural, words
from service.views.models import TrialSummary

MAX_NAMES = 8
"""Most hyperparameters with a column; the trial's own page has all of them."""
PLAIN_COLUMNS = 7
"""Trial, group, state, value, best epoch, trained, took."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that belong together. ``title`` is empty where nothing parts them."""

    title: str
    trials: tuple[TrialSummary, ...]


@dataclass(frozen=True, slots=True)
class TrialTable:
    """Names of the hyperparameters that have a column, and the rows."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def width(self) -> int:
        """Columns, that of the step aside."""
        return len(self.names) + PLAIN_COLUMNS


def trial_table(trials: Sequence[TrialSummary], *, by_rung: bool = False) -> TrialTable:
    """The table of a page of trials, in their order.

    Args:
        trials: As they are listed.
        by_rung: Whether neighbours that trained equally long make a part with a title.
    """
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    if not by_rung:
        return TrialTable(tuple(names)[:MAX_NAMES], (Part("", tuple(trials)),))
    parts = tuple(Part(said, tuple(rows)) for said, rows in groupby(trials, key=_rung))
    return TrialTable(tuple(names)[:MAX_NAMES], parts)


def trained(trial: TrialSummary) -> str:
    """How long a trial trained so far: in epochs where it is told in them."""
    if trial.num_epochs is not None:
        return plural(trial.num_epochs, "epoch")
    if trial.iterations:
        return plural(trial.iterations, "iteration")
    return "untrained" if trial.state is TrialState.COMPLETE else number(None)


def group_of(trial: TrialSummary) -> str:
    """The plan's group a trial belongs to; for most of them it is their purpose in words."""
    return words(trial.label)


def _rung(trial: TrialSummary) -> str:
    return f"trained {trained(trial)}" if trial.iterations else "not trained"
