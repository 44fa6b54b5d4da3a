"""One trial's curves as arrays: what it measured by epoch and by iteration, reduced once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from recipes.curve import EMPTY, LEARNING_RATE, Curve
from recipes.evidence.gradient_series import GradientSeries, gradient_series
from recipes.features import LARGEST_FINITE, block_medians, finite_prefix
from recipes.outcome import Evaluation, ModeLosses
from recipes.space import ParameterValue
from recipes.step import TrialResult
from recipes.trend import MEDIAN_WINDOW, Array, running_median
from recipes.trial import TrialCause, TrialPurpose, TrialState

SATURATED_SHARE = 0.5
"""Share of a sigmoid or tanh layer's inputs beyond +-5 from which it is saturated (notes on
diagnosis, row 21; SageMaker Debugger's 9.5 is called too lax there): sigmoid's slope at 5 is
0.007, tanh's 0.0002."""

RATE_STEP = 1.001
"""Factor between two sampled learning rates that is more than rounding."""


@dataclass(frozen=True, eq=False)
class EpochSeries:
    """A metric on one split, epoch by epoch, up to the first value that is not finite.

    Attributes:
        values: float64 (E + 1,), E at most the trial's epochs. Index 0 is the untrained model.
        standard_errors: float64 (E + 1,); NaN where unknown.
        n: Samples of an evaluation.
    """

    values: Array
    standard_errors: Array
    n: int

    def __len__(self) -> int:
        """Epochs trained that have a value."""
        return max(0, len(self.values) - 1)

    @property
    def start(self) -> float:
        """Before training; NaN when nothing was measured."""
        return float(self.values[0]) if len(self.values) else math.nan

    @property
    def trained(self) -> Array:
        """After each epoch, float64 (E,)."""
        return self.values[1:]

    @cached_property
    def smooth(self) -> Array:
        """Centred 5-epoch medians of ``trained``, float64 (E,)."""
        return running_median(self.trained)

    @cached_property
    def highest(self) -> float:
        """The largest trained value; NaN without one."""
        return float(self.trained.max()) if len(self) else math.nan

    @cached_property
    def lowest(self) -> float:
        """The smallest trained value; NaN without one."""
        return float(self.trained.min()) if len(self) else math.nan

    @cached_property
    def end(self) -> float:
        """The last smoothed value; NaN without one."""
        return float(self.smooth[-1]) if len(self) else math.nan

    @cached_property
    def end_error(self) -> float:
        """Standard error of a value at the end: the median of the last ones; NaN when unknown."""
        if not len(self):
            return math.nan
        return float(np.median(self.standard_errors[1:][-MEDIAN_WINDOW // 2 :]))


@dataclass(frozen=True, eq=False)
class TrialSeries:
    """One trial's numbers.

    Attributes:
        lr: NaN when its setting names none.
        epochs: Whole epochs it trained.
        losses: Train loss by iteration as reported (thinned to about 2,000 medians), up to
            the first value that is not finite. Empty when curves were not read.
        update_ratio: Median over tensors and iterations after the first twenty; NaN if unknown.
        dead_share: Largest share of dead ReLU units in a layer at the end; NaN if unknown.
        saturated_share: Of saturated inputs of a sigmoid or tanh, likewise.
        mode_losses: Train mode against eval mode at the end; None: not measured.
        gradients: Norms at sampled iterations.
        rates: Learning rate by sampled iteration; empty where it is not known to change.
    """

    number: int
    purpose: TrialPurpose
    params: Mapping[str, ParameterValue]
    lr: float
    state: TrialState
    cause: TrialCause | None
    epochs: int
    iterations: int
    evaluations: Sequence[Evaluation]
    losses: Array
    loss_iterations: tuple[int, ...]
    update_ratio: float
    dead_share: float
    saturated_share: float = math.nan
    mode_losses: ModeLosses | None = None
    gradients: GradientSeries = field(default_factory=GradientSeries)
    rates: Curve = EMPTY

    @cached_property
    def blocks(self) -> Array:
        """``losses`` as at most 200 block medians."""
        return block_medians(tuple(self.losses))

    @property
    def is_train_in_eval_mode(self) -> bool:
        """Whether train metrics are of the finished epoch's model in eval mode, as ours are."""
        return True

    @property
    def schedule(self) -> str:
        """How its learning rate went."""
        return str(self.params.get("schedule", "constant"))

    @property
    def warmup_share(self) -> float:
        """Share of the run that its warm-up lasts: below 1 a share, else iterations."""
        warmup = _number(self.params.get("warmup"))
        if not math.isfinite(warmup):
            return 0.0
        return warmup if warmup < 1 else min(1.0, warmup / max(1, self.iterations))

    @cached_property
    def rate_rises(self) -> bool:
        """Whether the learning rate went up after the warm-up: a cycle, or a restart."""
        first = self.warmup_share * self.iterations
        pairs = zip(self.rates.iterations, self.rates.values, strict=True)
        after = [value for iteration, value in pairs if iteration >= first]
        return any(later > RATE_STEP * earlier for earlier, later in pairwise(after))

    def series(self, metric: str, split: str) -> EpochSeries:
        """One metric by epoch; empty when it was not measured on that split."""
        found = self._series.get((metric, split))
        return EMPTY_SERIES if found is None else found

    def metrics(self, split: str) -> frozenset[str]:
        """What was measured on a split."""
        return frozenset(metric for metric, on in self._series if on == split)

    @cached_property
    def _series(self) -> Mapping[tuple[str, str], EpochSeries]:
        splits: dict[str, list[Evaluation]] = {}
        for evaluation in self.evaluations:
            splits.setdefault(evaluation.split, []).append(evaluation)
        return {
            (metric, split): _epoch_series(metric, found)
            for split, found in splits.items()
            for metric in found[0].metrics
        }


def trial_series(trial: TrialResult) -> TrialSeries:
    """Reduce one trial."""
    outcome = trial.outcome
    curve = trial.curve("loss")
    losses = finite_prefix(curve.values)
    ratios = trial.curve("update_ratio")
    warmed = [
        value
        for iteration, value in zip(ratios.iterations, ratios.values, strict=True)
        if iteration >= RATIO_FROM_ITERATION and abs(value) <= LARGEST_FINITE
    ]
    return TrialSeries(
        number=trial.number,
        purpose=trial.purpose,
        params=trial.params,
        lr=_number(trial.params.get("lr")),
        state=outcome.state,
        cause=outcome.cause,
        epochs=max(0, len(outcome.on("val")) - 1),
        iterations=outcome.iterations,
        evaluations=outcome.evaluations,
        losses=losses,
        loss_iterations=curve.iterations[: len(losses)],
        update_ratio=float(np.median(warmed)) if warmed else math.nan,
        dead_share=math.nan if outcome.dead_share is None else outcome.dead_share,
        saturated_share=math.nan if outcome.saturated_share is None else outcome.saturated_share,
        mode_losses=outcome.mode_losses,
        gradients=gradient_series(trial),
        rates=trial.curve(LEARNING_RATE),
    )


RATIO_FROM_ITERATION = 20
"""Update ratios before it belong to the start (notes on diagnosis, row 25)."""


def _epoch_series(metric: str, evaluations: Sequence[Evaluation]) -> EpochSeries:
    found = [each.metrics[metric] for each in evaluations if metric in each.metrics]
    values = finite_prefix([each.mean for each in found])
    errors = np.asarray([each.standard_error for each in found[: len(values)]], dtype=np.float64)
    n = max((each.n for each in found), default=0)
    return EpochSeries(values, np.where(np.abs(errors) <= LARGEST_FINITE, errors, np.nan), n)


def _number(value: ParameterValue | None) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return float(value)


EMPTY_SERIES = EpochSeries(np.empty(0), np.empty(0), 0)
