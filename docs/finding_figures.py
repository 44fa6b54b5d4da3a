"""What the pictures of findings are drawn from: a run's curves, beside its healthy twin's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recipes.curve import FIRST_GRADIENT, LAST_GRADIENT, Curve
from recipes.step import Figure, Series, TrialResult
from recipes.words import number

MOST_POINTS = 80
"""Of a line: what a picture of 560 pixels still shows, and a small file."""

TWIN = "healthy run, train"
"""How the run without the fault is called in a picture."""


def loss(
    run: TrialResult, twin: TrialResult | None, *, lines: Mapping[str, float] | None = None
) -> Figure:
    """Train loss by iteration and validation loss by epoch, the twin's train loss behind them."""
    train = run.curve("loss")
    series = [*_twin(twin, "loss"), _series("train", train, "train")]
    val = run.curve("loss", "val")
    if len(val.values) > 2:
        series.append(_series("validation", val, "val"))
    values = [v for each in series for v in each.y if math.isfinite(v)]
    return Figure(
        name="loss",
        title="Loss",
        summary=_summary(series),
        x_label="iteration",
        y_label="loss",
        y_log=min(values, default=0.0) > 0,
        direction="minimize",
        series=tuple(series),
        horizontal=tuple((lines or {}).items()),
    )


def metric(
    run: TrialResult,
    twin: TrialResult | None,
    *,
    name: str = "accuracy",
    lines: Mapping[str, float] | None = None,
) -> Figure:
    """A metric on both splits by epoch, in eval mode; behind them the twin's on validation."""
    series = []
    if twin is not None:
        series.append(_series("healthy run, validation", twin.curve(name, "val"), "muted"))
    series.append(_series("train", run.curve(f"eval_{name}"), "train"))
    series.append(_series("validation", run.curve(name, "val"), "val"))
    return Figure(
        name="metric",
        title=name.capitalize(),
        summary=_summary(series),
        x_label="iteration",
        y_label=name,
        direction="maximize",
        series=tuple(series),
        horizontal=tuple((lines or {}).items()),
    )


def gradients(run: TrialResult, twin: TrialResult | None) -> Figure:
    """The gradient's norm, whole and of the first and last weights."""
    series = [*_twin(twin, "gradient_norm")]
    wanted = (("whole", "gradient_norm", "train"), ("last weights", LAST_GRADIENT, "val"))
    for label, name, role in (*wanted, ("first weights", FIRST_GRADIENT, "bad")):
        if len(run.curve(name).values):
            series.append(_series(label, run.curve(name), role))
    return Figure(
        name="gradients",
        title="Norm of the gradient",
        summary=_summary(series),
        x_label="iteration",
        y_label="norm",
        y_log=True,
        series=tuple(series),
    )


def update_ratio(
    run: TrialResult, twin: TrialResult | None, *, lines: Mapping[str, float]
) -> Figure:
    """How much of their size an iteration changes the weights by."""
    series = [*_twin(twin, "update_ratio"), _series("this run", run.curve("update_ratio"), "bad")]
    return Figure(
        name="update_ratio",
        title="Size of an update beside the weights'",
        summary=_summary(series),
        x_label="iteration",
        y_label="update / weight",
        y_log=True,
        series=tuple(series),
        horizontal=tuple(lines.items()),
    )


def bars(
    title: str, names: Sequence[str], values: Sequence[float], label: str, summary: str
) -> Figure:
    """Numbers side by side, where there is no curve."""
    return Figure(
        name="numbers",
        title=title,
        summary=summary,
        x_label="",
        y_label=label,
        y_from_zero=True,
        series=(Series(name=label, y=tuple(values), labels=tuple(names), style="bars"),),
    )


def thinned(figure: Figure) -> Figure:
    """The same with at most ``MOST_POINTS`` a line, rounded to four digits.

    Of each stretch the lowest and the highest are kept, so that spikes and swings are seen.
    """
    return figure.model_copy(update={"series": tuple(map(_thin, figure.series))})


def _thin(series: Series) -> Series:
    if series.style != "line" or len(series.y) <= MOST_POINTS:
        return series
    xs = series.x or tuple(map(float, range(len(series.y))))
    size = 2 * len(xs) / MOST_POINTS
    kept: set[int] = {0, len(xs) - 1}
    at = 0.0
    while at < len(xs):
        part = range(math.floor(at), min(len(xs), math.ceil(at + size)))
        finite = [i for i in part if math.isfinite(series.y[i])]
        kept |= {i for i in part if not math.isfinite(series.y[i])}
        if finite:
            kept |= {
                min(finite, key=lambda i: series.y[i]),
                max(finite, key=lambda i: series.y[i]),
            }
        at += size
    order = sorted(kept)
    return series.model_copy(
        update={
            "x": tuple(xs[i] for i in order),
            "y": tuple(float(f"{series.y[i]:.4g}") for i in order),
            "errors": tuple(series.errors[i] for i in order) if series.errors else (),
            "labels": (),
        }
    )


def _twin(twin: TrialResult | None, name: str) -> list[Series]:
    return [] if twin is None else [_series(TWIN, twin.curve(name), "muted")]


def _series(name: str, curve: Curve, role: str) -> Series:
    return Series(
        name=name, x=tuple(map(float, curve.iterations)), y=tuple(curve.values), role=role
    )


def _summary(series: Sequence[Series]) -> str:
    parts = []
    for each in series:
        finite = [v for v in each.y if math.isfinite(v)]
        if finite:
            parts.append(f"{each.name} from {number(finite[0])} to {number(finite[-1])}")
    text = "; ".join(parts) or "nothing finite"
    return f"{text[0].upper()}{text[1:]}."
