"""What went on inside a model, layer by layer, as tables: activations, gradients, updates."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recipes.outcome import Initialisation
from service.views.format import number
from service.views.models import CurvesView, CurveView

UPDATE_RATIO = "update_ratio/"
"""Begins the names of curves of single parameters' update ratios."""
USUAL_RATIO = (1e-4, 1e-2)
"""Updates of about 1e-3 of the weights' size are healthy (CS231n, Neural Networks Part 3,
"Ratio of weights:updates"); the band is a decade to either side."""
MANY_DEAD = 0.4
"""A share of units that never fire from which CS231n speaks of many dead ReLUs (Neural
Networks Part 1: "as much as 40 % of your network can be dead")."""
MANY_SATURATED = 0.5
"""A share of a sigmoid's or tanh's inputs beyond +-5 that makes most of its gradients vanish."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of a layer. ``remark`` says what is unusual about it; empty: nothing."""

    text: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer, or one of its parameters."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class LayerTable:
    """Rows under their columns; the first column is the name."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[LayerRow, ...]


def layer_tables(curves: CurvesView, initial: Initialisation | None) -> list[LayerTable]:
    """All that is known of a trial's layers: before training, and while it trained."""
    return [*_initial(initial), *_trained(curves.curves)]


def _initial(found: Initialisation | None) -> Iterator[LayerTable]:
    if found is not None and found.layers:
        yield LayerTable(
            title="Activations of the untrained model",
            note="Over the samples of the probe, in eval mode. A spread that shrinks or grows"
            " from layer to layer, or many units that are always 0, say that the"
            " initialisation does not fit.",
            columns=("layer", "kind", "mean", "sd", "zeros", "dead units", "saturated"),
            rows=tuple(
                LayerRow(
                    layer.name,
                    (
                        Cell(layer.kind),
                        Cell(number(float(layer.mean), 3)),
                        Cell(number(float(layer.sd), 3)),
                        _share(layer.zero_share, None),
                        _share(layer.dead_share, MANY_DEAD),
                        _share(layer.saturated_share, MANY_SATURATED),
                    ),
                )
                for layer in found.layers
            ),
        )
    if found is not None and found.gradients:
        yield LayerTable(
            title="Weights and gradients of the untrained model",
            note="Norms of each parameter tensor and of its gradient on the same samples.",
            columns=("parameter", "weight norm", "gradient norm", "gradient over weight"),
            rows=tuple(
                LayerRow(
                    each.name,
                    (
                        Cell(number(float(each.weight_norm), 3)),
                        _gradient(float(each.gradient_norm)),
                        Cell(number(_ratio(each.gradient_norm, each.weight_norm), 2)),
                    ),
                )
                for each in found.gradients
            ),
        )


def _trained(curves: Sequence[CurveView]) -> Iterator[LayerTable]:
    updates = [c for c in curves if c.metric.startswith(UPDATE_RATIO) and c.values]
    if not updates:
        return
    low, high = USUAL_RATIO
    yield LayerTable(
        title="Updates by parameter",
        note="How large an iteration's update is beside the weights it changes. About 1e-3 is"
        f" usual; below {number(low)} or above {number(high)} is remarked on.",
        columns=("parameter", "first", "median", "last", "last at iteration"),
        rows=tuple(
            LayerRow(
                curve.metric.removeprefix(UPDATE_RATIO),
                (
                    Cell(number(float(curve.values[0]), 3)),
                    Cell(number(_median(curve.values), 3)),
                    _update(float(curve.values[-1])),
                    Cell(number(curve.iterations[-1])),
                ),
            )
            for curve in updates
        ),
    )


def _update(ratio: float) -> Cell:
    low, high = USUAL_RATIO
    if not math.isfinite(ratio):
        return Cell(number(ratio), "no number")
    return Cell(number(ratio, 3), "small" if ratio < low else "large" if ratio > high else "")


def _gradient(norm: float) -> Cell:
    if not math.isfinite(norm):
        return Cell(number(norm), "no number")
    return Cell(number(norm, 3), "" if norm else "no gradient")


def _share(share: float | None, many: float | None) -> Cell:
    if share is None or not math.isfinite(share):
        return Cell(number(None))
    return Cell(f"{share:.0%}", "many" if many is not None and share >= many else "")


def _ratio(gradient: float, weight: float) -> float:
    return float(gradient) / float(weight) if weight else math.nan


def _median(values: Sequence[float]) -> float:
    finite = [float(value) for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan
