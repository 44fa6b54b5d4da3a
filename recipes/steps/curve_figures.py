"""The figures of step 6: loss and metric of the leading trial, by epoch."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.trial_series import EpochSeries
from recipes.step import Figure, Series
from recipes.words import number


def curve_figures(evidence: CurveEvidence) -> tuple[Figure, ...]:
    """``curves_loss`` with its minimum marked and ``curves_metric``, each with a band of one
    standard error around validation; those that were measured."""
    figures = []
    loss = {"train": evidence.train_loss, "val": evidence.val_loss}
    if len(evidence.val_loss):
        figures.append(_loss(evidence, loss))
    if len(evidence.val) and evidence.metric.name != "loss":
        figures.append(_metric(evidence))
    return tuple(figures)


def _loss(evidence: CurveEvidence, loss: dict[str, EpochSeries]) -> Figure:
    val = evidence.val_loss
    lowest = 1 + int(np.argmin(val.trained))
    value = float(val.values[lowest])
    return Figure(
        name="curves_loss",
        title=f"Loss by epoch, trial {evidence.series.number}",
        summary=f"Validation loss is lowest at epoch {lowest} with {number(value)} and ends at "
        f"{number(float(val.values[-1]))}.",
        x_label="epoch",
        y_label="loss",
        direction="minimize",
        series=(
            *_lines(loss),
            Series(
                name="lowest validation loss",
                x=(lowest,),
                y=(value,),
                role="good",
                style="dots",
            ),
        ),
    )


def _metric(evidence: CurveEvidence) -> Figure:
    val, metric = evidence.val, evidence.metric
    return Figure(
        name="curves_metric",
        title=f"{metric.label.capitalize()} by epoch, trial {evidence.series.number}",
        summary=f"Validation {metric.label} ends at {metric.text(val.end, val.end_error)}, on "
        f"training samples at {metric.text(evidence.train.end)}; best at epoch "
        f"{evidence.best_epoch}.",
        x_label="epoch",
        y_label=metric.label,
        direction="maximize" if metric.maximise else "minimize",
        series=tuple(_lines({"train": evidence.train, "val": val})),
    )


def _lines(splits: dict[str, EpochSeries]) -> list[Series]:
    return [
        Series(
            name=name,
            y=tuple(float(each) for each in series.values),
            errors=_band(series) if name == "val" else (),
            role=name,
        )
        for name, series in splits.items()
        if len(series)
    ]


def _band(series: EpochSeries) -> tuple[float, ...]:
    """One standard error to either side; none where they are not known."""
    errors = tuple(float(each) for each in series.standard_errors)
    return errors if all(map(math.isfinite, errors)) else ()
