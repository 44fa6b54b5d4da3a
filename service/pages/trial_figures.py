"""A trial's curves as figures: loss, accuracy, internals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from recipes.step import Figure, Series
from service.pages.trial_evaluations import BestEpoch
from service.views.format import number, words
from service.views.models import CurvesView, CurveView

ROLES = {"train": "train", "val": "val", "test": "good"}
EVALUATED = "eval_"
"""Begins the names of metrics taken in eval mode on a fixed sample."""
MAX_FIGURES = 6
LOG_RATIO = 30.0
"""Positive curves whose largest value is this many times the smallest get a log axis; a loss
always does, as its ratios matter and not its differences (CS231n plots it so)."""


def trial_figures(curves: CurvesView, best: BestEpoch | None = None) -> list[Figure]:
    """One figure a metric, loss first; train and validation share one.

    Curves of single layers (``update_ratio/fc1.weight``) share the figure of their metric.

    Args:
        curves: Of one trial.
        best: Its best epoch, marked on the validation curves.
    """
    groups: dict[str, list[CurveView]] = {}
    for curve in curves.curves:
        if curve.values:
            groups.setdefault(_subject(curve), []).append(curve)
    ordered = sorted(groups, key=lambda metric: (metric != "loss", metric != "accuracy", metric))
    return [_figure(metric, groups[metric], best) for metric in ordered[:MAX_FIGURES]]


def _figure(metric: str, curves: Sequence[CurveView], best: BestEpoch | None) -> Figure:
    curves = sorted(
        curves, key=lambda curve: (curve.split != "train", _is_evaluated(curve), curve.metric)
    )
    finite = [v for curve in curves for v in curve.values if math.isfinite(v)]
    positive = bool(finite) and min(finite) > 0
    return Figure(
        name=_slug(metric),
        title=words(metric).capitalize(),
        summary=_summary(curves),
        x_label="iteration",
        y_label=words(metric),
        y_log=positive and (metric == "loss" or max(finite) / min(finite) > LOG_RATIO),
        series=(
            *(_series(curve, alone=len(curves) == 1) for curve in curves),
            *_marks(curves, best),
        ),
    )


def _marks(curves: Sequence[CurveView], best: BestEpoch | None) -> Iterator[Series]:
    """The best epoch, on the validation curve of the figure."""
    for curve in curves:
        if best is None or curve.split != "val" or best.iteration not in curve.iterations:
            continue
        y = curve.values[curve.iterations.index(best.iteration)]
        yield Series(
            name=f"best epoch {best.epoch}",
            x=(float(best.iteration),),
            y=(y,),
            role="good",
            style="dots",
        )


def _subject(curve: CurveView) -> str:
    """Whose figure a curve belongs to: evaluations stand beside the training curve."""
    return curve.metric.partition("/")[0].removeprefix(EVALUATED)


def _series(curve: CurveView, *, alone: bool) -> Series:
    _, _, layer = curve.metric.partition("/")
    evaluated = _is_evaluated(curve)
    return Series(
        name=layer or _name(curve),
        x=tuple(map(float, curve.iterations)),
        y=curve.values,
        style="dots" if evaluated and curve.split == "train" else "line",
        role=_role(curve, layer=layer, evaluated=evaluated, alone=alone),
    )


def _role(curve: CurveView, *, layer: str, evaluated: bool, alone: bool) -> str:
    if (layer and not alone) or (evaluated and curve.split == "train"):
        return "muted"
    return ROLES.get(curve.split, "muted")


def _is_evaluated(curve: CurveView) -> bool:
    return curve.metric.startswith(EVALUATED)


def _name(curve: CurveView) -> str:
    return f"{curve.split}, evaluated" if _is_evaluated(curve) else curve.split


def _summary(curves: Sequence[CurveView]) -> str:
    parts = []
    for curve in [c for c in curves if "/" not in c.metric] or curves[:1]:
        first, last = number(float(curve.values[0])), number(float(curve.values[-1]))
        parts.append(f"{_name(curve)} from {first} to {last}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _slug(metric: str) -> str:
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in metric.lower())
    return text if text[:1].isalpha() else f"m_{text}"
