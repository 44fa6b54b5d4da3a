"""A trial's peers, with what rules compare it to as arrays that all trials of a study share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from recipes.evidence.trial_series import TrialSeries
from recipes.space import ParameterValue
from recipes.trend import Array


class Table:
    """Trials and their numbers after an epoch, looked up once for all who compare with them.

    Args:
        series: The trials, (T,).
    """

    def __init__(self, series: Sequence[TrialSeries]) -> None:
        self.series = tuple(series)
        self._places = {id(each): at for at, each in enumerate(self.series)}
        self._after: dict[tuple[str, str, int], Array] = {}
        self._errors: dict[tuple[str, str, int], Array] = {}

    @cached_property
    def rates(self) -> Array:
        """Learning rates, (T,)."""
        return np.asarray([each.lr for each in self.series], dtype=np.float64)

    @cached_property
    def _settings(self) -> tuple[dict[Hashable, int], NDArray[np.int64]]:
        """A number for each setting, and each trial's, (T,)."""
        known: dict[Hashable, int] = {}
        keys = [_key(each.params) for each in self.series]
        return known, np.asarray([known.setdefault(key, len(known)) for key in keys], np.int64)

    def others(self, series: TrialSeries) -> Peers:
        """The trials with other hyperparameters than a trial's, which may be one of them."""
        known, numbers = self._settings
        at = self._places.get(id(series))
        own = known.get(_key(series.params), -1) if at is None else numbers[at]
        return Peers(self, np.flatnonzero(numbers != own))

    def after(self, metric: str, split: str, epochs: int) -> Array:
        """A metric after so many epochs, (T,); NaN where a trial has fewer."""
        key = (metric, split, epochs)
        if key not in self._after:
            found = [each.series(metric, split) for each in self.series]
            self._after[key] = np.asarray(
                [each.values[epochs] if len(each) >= epochs > 0 else np.nan for each in found],
                dtype=np.float64,
            )
        return self._after[key]

    def errors_after(self, metric: str, split: str, epochs: int) -> Array:
        """The standard errors of ``after``, (T,); NaN where unknown."""
        key = (metric, split, epochs)
        if key not in self._errors:
            found = [each.series(metric, split) for each in self.series]
            self._errors[key] = np.asarray(
                [
                    each.standard_errors[epochs] if len(each) >= epochs > 0 else np.nan
                    for each in found
                ],
                dtype=np.float64,
            )
        return self._errors[key]


class Peers(Sequence[TrialSeries]):
    """The trials of a table, or those of them that have other settings than one.

    Args:
        table: All.
        kept: Their places in it; None: all.
    """

    def __init__(self, table: Table, kept: NDArray[np.int64] | None = None) -> None:
        self._table = table
        self._kept = np.arange(len(table.series)) if kept is None else kept

    def __len__(self) -> int:
        """How many."""
        return len(self._kept)

    @overload
    def __getitem__(self, at: int) -> TrialSeries: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[TrialSeries]: ...

    def __getitem__(self, at: int | slice) -> TrialSeries | Sequence[TrialSeries]:
        """One of them, or several."""
        if isinstance(at, slice):
            return [self._table.series[place] for place in self._kept[at]]
        return self._table.series[int(self._kept[at])]

    @property
    def rates(self) -> Array:
        """Learning rates, (P,)."""
        return self._table.rates[self._kept]

    def after(self, metric: str, split: str, epochs: int) -> Array:
        """A metric after so many epochs, (P,); NaN where a peer has fewer."""
        return self._table.after(metric, split, epochs)[self._kept]

    def errors_after(self, metric: str, split: str, epochs: int) -> Array:
        """Standard errors of ``after``, (P,)."""
        return self._table.errors_after(metric, split, epochs)[self._kept]


def _key(params: Mapping[str, ParameterValue]) -> Hashable:
    return tuple(sorted(params.items()))
