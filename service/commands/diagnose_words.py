"""A diagnosis in lines for people."""

from __future__ import annotations

import math
from collections.abc import Iterator

from recipes.step import Figure, Series
from recipes.training_logs.diagnosis import RunDiagnosis
from recipes.training_logs.run import Inferred
from recipes.words import listing, number, plural, rate
from service.commands.sparkline import sparkline
from service.views.format import mark


def lines_of(run: RunDiagnosis) -> Iterator[str]:
    """Name, curves, what was guessed, findings with their action, what was not looked for."""
    where = "" if run.name == run.source else f" ({run.source})"
    yield f"{run.name}{where}"
    for figure in run.figures:
        yield from _curves(figure)
    for sentence in guessed(run.inferred):
        yield f"  · {sentence}"
    for finding in run.findings:
        yield f"  {mark(finding.severity).sign} {finding.code}: {finding.sentence}"
        if len(finding.causes) > 1:
            causes = " ".join(f"{cause.sentence}" for cause in finding.causes[:3])
            yield f"    Causes, likeliest first: {causes}"
        yield f"    → {finding.action}"
        yield f"    More: sevenstep explain {finding.code}"
    for unchecked in run.unchecked:
        yield f"  - not checked: {listing(unchecked.codes, most=20)}; {unchecked.why}"


def guessed(told: Inferred) -> Iterator[str]:
    """What was guessed of a run, sentence by sentence."""
    span = f", {told.first:g} to {told.last:g}" if told.num_evaluations else ""
    kept = "" if told.place == "epoch" else f", counted by {told.place}"
    yield f"Read as {told.format}: {plural(told.num_evaluations, 'evaluation')}{span}{kept}."
    yield (
        "Columns: "
        + "; ".join(
            f"{each.column} = {each.split} {each.metric}"
            + (f" in {each.unit}" if each.unit else "")
            + (" by batch" if each.per == "batch" else "")
            + (" (a guess)" if each.by == "guess" else "")
            for each in told.columns
        )
        + (f". Left out: {listing(told.left_out, most=8)}." if told.left_out else ".")
    )
    better = "larger" if told.direction == "maximize" else "smaller"
    yield f"Judged by {told.metric}, {better} is better; {_samples(told)}."
    known = f"Learning rate {rate(told.lr)}" if math.isfinite(told.lr) else "Learning rate unknown"
    yield f"{known}, {told.schedule if told.schedule != 'unknown' else 'schedule unknown'}."
    yield from told.notes


def _samples(told: Inferred) -> str:
    if told.num_val is None:
        return "the number of validation samples is unknown (--n tells it)"
    how = {
        "you": "as you say",
        "log": "as the log says",
        "steps": "inferred from the steps accuracy moves in; the true number may be a multiple",
    }[told.num_val_from]
    return f"{plural(told.num_val, 'validation sample')}, {how}"


def _curves(figure: Figure) -> Iterator[str]:
    lines = [each for each in figure.series if each.style != "dots" and len(each.y)]
    for series in lines:
        yield _curve(figure, series)


def _curve(figure: Figure, series: Series) -> str:
    values = [float(each) for each in series.y if each == each or series.y.index(each) > 0]
    ends = f"{number(values[0])} to {number(values[-1])}" if values else "nothing"
    label = f"{series.name} {figure.y_label}"
    return f"  {label:<16} {sparkline(values)}  {ends}"
