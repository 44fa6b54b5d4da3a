"""A trial's peers, with what rules compare it to as arrays that all trials of a study share."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
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
        self._numbers: dict[Hashable, Array] = {}

    @cached_property
    def rates(self) -> Array:
        """Learning rates, (T,)."""
        return np.asarray([each.lr for each in self.series], dtype=np.float64)

    @cached_property
    def _settings(self) -> tuple[dict[Hashable, int], NDArray[np.int64]]:
        """A number for each setting, and each trial's, (T,)."""
        return _numbered([_key(each.params) for each in self.series])

    @cached_property
    def _but_rate(self) -> tuple[dict[Hashable, int], NDArray[np.int64]]:
        """The same of settings without their learning rate."""
        return _numbered([_key_but_rate(each.params) for each in self.series])

    def others(self, series: TrialSeries) -> Peers:
        """The trials with other hyperparameters than a trial's, which may be one of them."""
        known, numbers = self._settings
        at = self._places.get(id(series))
        own = known.get(_key(series.params), -1) if at is None else numbers[at]
        return Peers(self, np.flatnonzero(numbers != own))

    def alike(self, series: TrialSeries) -> NDArray[np.bool_]:
        """Which trials have a trial's hyperparameters but for the learning rate, (T,)."""
        known, numbers = self._but_rate
        return np.asarray(numbers == known.get(_key_but_rate(series.params), -1))

    def of_each(self, number: Callable[..., float], *args: Hashable) -> Array:
        """A number of each trial, (T,), looked up once.

        Args:
            number: Called with a trial and ``args``.
        """
        key = (number, *args)
        if key not in self._numbers:
            found = [number(each, *args) for each in self.series]
            self._numbers[key] = np.asarray(found, dtype=np.float64)
        return self._numbers[key]


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

    def alike(self, series: TrialSeries) -> NDArray[np.bool_]:
        """Which of them differ from a trial in the learning rate at most, (P,)."""
        return self._table.alike(series)[self._kept]

    def of_each(self, number: Callable[..., float], *args: Hashable) -> Array:
        """A number of each, (P,); see :meth:`Table.of_each`."""
        return self._table.of_each(number, *args)[self._kept]

    def after(self, metric: str, split: str, epochs: int) -> Array:
        """A metric after so many epochs, (P,); NaN where a peer has fewer."""
        return self.of_each(_value_after, metric, split, epochs)

    def errors_after(self, metric: str, split: str, epochs: int) -> Array:
        """Standard errors of ``after``, (P,); NaN where unknown."""
        return self.of_each(_error_after, metric, split, epochs)


def _value_after(series: TrialSeries, metric: str, split: str, epochs: int) -> float:
    found = series.series(metric, split)
    return float(found.values[epochs]) if len(found) >= epochs > 0 else math.nan


def _error_after(series: TrialSeries, metric: str, split: str, epochs: int) -> float:
    found = series.series(metric, split)
    return float(found.standard_errors[epochs]) if len(found) >= epochs > 0 else math.nan


def _numbered(keys: Sequence[Hashable]) -> tuple[dict[Hashable, int], NDArray[np.int64]]:
    """A number for each key that differs, and each key's, (T,)."""
    known: dict[Hashable, int] = {}
    return known, np.asarray([known.setdefault(key, len(known)) for key in keys], np.int64)


def _key(params: Mapping[str, ParameterValue]) -> Hashable:
    return tuple(sorted(params.items()))


def _key_but_rate(params: Mapping[str, ParameterValue]) -> Hashable:
    return _key({name: value for name, value in params.items() if name != "lr"})
