"""The evidence of step 1: the untrained model's loss, and the static checks' numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.expectation import Expectation, baseline_loss, expected_initial_loss
from recipes.outcome import Initialisation, LayerStatistics
from recipes.step import TrialResult

RELU_KINDS = frozenset({"relu", "relu6", "threshold"})
"""Activations whose units can be zero for every input."""

WEIGHTED_KINDS = ("linear", "conv", "bilinear")
"""Layers whose outputs' scale follows from their weights'."""

REACHED = 0.5
"""A layer's outputs that differ between samples by less than this many of their sd carry
next to nothing of the input: healthy ones differ by several, an untrained batch norm's running
statistics or an input that is not used make it a few hundredths."""


@dataclass(frozen=True, slots=True)
class GradientEnds:
    """Gradient norms of the first and the last weight tensor, medians of the initialisations."""

    first_name: str
    first: float
    last_name: str
    last: float


@dataclass(frozen=True, slots=True)
class InitialLossEvidence:
    """Step 1's numbers: losses in nats, or in squared units of the targets.

    ``initialisations`` is empty when the loss could not be computed at all (labels out of
    range, say): the description's numbers are then the only evidence. ``batch_size`` is the
    trials' own, None where their setting names none.
    """

    description: TaskDescription
    expectation: Expectation | None
    baseline: float | None
    initialisations: tuple[Initialisation, ...]
    batch_size: int | None = None

    @property
    def losses(self) -> list[float]:
        """One mean loss an initialisation."""
        return [state.loss.mean for state in self.initialisations]

    @property
    def loss(self) -> float:
        """Mean over the initialisations; NaN of none."""
        return sum(self.losses) / len(self.losses) if self.losses else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of one initialisation's loss: the samples' part of the noise."""
        return max((state.loss.standard_error for state in self.initialisations), default=math.nan)

    @property
    def mean_error(self) -> float:
        """Standard error of ``loss`` between the initialisations; 0 of fewer than two.

        An untrained model's outputs go along with the targets, or against them, by chance.
        """
        losses = self.losses
        return statistics.stdev(losses) / math.sqrt(len(losses)) if len(losses) > 1 else 0.0

    @property
    def excess(self) -> float:
        """Loss above the expected one: in nats, or as a share of it for squared errors.

        NaN where nothing is expected, and where all targets are 0: there is no share of 0.
        """
        if self.expectation is None:
            return math.nan
        return self._in_units(self.loss - self.expectation.value)

    @property
    def excess_error(self) -> float:
        """Standard error of ``excess`` between the initialisations, in its units."""
        return math.nan if self.expectation is None else self._in_units(self.mean_error)

    def _in_units(self, difference: float) -> float:
        """A difference of losses as ``excess`` tells it."""
        expectation = self.expectation
        if expectation is None or not expectation.relative:
            return difference
        return difference / expectation.value if expectation.value else math.nan

    @property
    def output_sd(self) -> float:
        """Mean standard deviation of the outputs (logits)."""
        sds = [state.output_sd for state in self.initialisations]
        return sum(sds) / len(sds) if sds else math.nan

    @property
    def ignores_input(self) -> bool:
        """Whether no output changes with the input, in any initialisation."""
        return bool(self.initialisations) and all(
            state.output_spread <= 1e-7 * state.output_sd for state in self.initialisations
        )

    @property
    def hidden_signals(self) -> list[tuple[str, float]]:
        """(name, variation) of each weighted layer but the last, in the first initialisation.

        How far outputs differ between samples, not their sd: biases have an sd too and
        carry nothing. The last layer's outputs are judged by the loss itself.
        """
        if not self.initialisations:
            return []
        layers = self.initialisations[0].layers
        weighted = [layer for layer in layers if layer.kind.lower().startswith(WEIGHTED_KINDS)]
        return [(layer.name, layer.variation) for layer in weighted[:-1]]

    @property
    def dead_share(self) -> tuple[str, float]:
        """The layer with most dead ReLU units, and their share: the median initialisation's."""
        return _worst(
            (layer.name, layer.dead_share)
            for state in self.initialisations
            for layer in _reached_relus(state)
        )

    @property
    def saturated_share(self) -> tuple[str, float]:
        """The layer with most saturated inputs, and their share: likewise."""
        return _worst(
            (layer.name, layer.saturated_share)
            for state in self.initialisations
            for layer in state.layers
            if layer.saturated_share is not None
        )

    @property
    def gradient_norm(self) -> float:
        """Norm of the whole gradient, the median initialisation's; NaN of none."""
        norms = [
            math.hypot(*(each.gradient_norm for each in state.gradients))
            for state in self.initialisations
            if state.gradients
        ]
        return statistics.median(norms) if norms else math.nan

    @property
    def gradient_ends(self) -> GradientEnds | None:
        """Gradients at both ends of the model; None with fewer than two weight tensors.

        Tensors of two dimensions or more, in the order the model declares them.
        """
        matrices = {
            each.name
            for each in self.description.parameters
            if len(each.shape) >= 2 and each.trainable
        }
        norms: dict[str, list[float]] = {}
        for state in self.initialisations:
            for each in state.gradients:
                if each.name in matrices:
                    norms.setdefault(each.name, []).append(each.gradient_norm)
        if len(norms) < 2:
            return None
        names = list(norms)
        return GradientEnds(
            names[0],
            statistics.median(norms[names[0]]),
            names[-1],
            statistics.median(norms[names[-1]]),
        )


def _worst(shares: Iterable[tuple[str, float]]) -> tuple[str, float]:
    """The name whose median share is largest, with it; no name and 0 of none."""
    by_name: dict[str, list[float]] = {}
    for name, share in shares:
        by_name.setdefault(name, []).append(share)
    medians = {name: sorted(values)[len(values) // 2] for name, values in by_name.items()}
    worst = max(medians, key=lambda name: medians[name], default="")
    return worst, medians.get(worst, 0.0)


def _reached_relus(state: Initialisation) -> Iterator[LayerStatistics]:
    """ReLU layers that the input reaches: units that see the same for every sample are not dead.

    The layer before must tell samples apart; a first layer is taken to be reached.
    """
    before: LayerStatistics | None = None
    for layer in state.layers:
        if layer.kind.lower() in RELU_KINDS:
            if before is None or before.variation > REACHED * before.sd:
                yield layer
        else:
            before = layer


def initial_loss_evidence(
    description: TaskDescription, trials: Sequence[TrialResult]
) -> InitialLossEvidence:
    """Reduce step 1's trials."""
    own = trials[0].params.get("batch_size") if trials else None
    is_size = isinstance(own, (int, float)) and not isinstance(own, bool)
    return InitialLossEvidence(
        description=description,
        expectation=expected_initial_loss(description),
        baseline=baseline_loss(description),
        initialisations=tuple(
            trial.outcome.initialisation
            for trial in trials
            if trial.outcome.initialisation is not None
        ),
        batch_size=int(own) if own is not None and is_size else None,
    )
