"""What the product's rules find in logged runs."""

from __future__ import annotations

import re
from itertools import pairwise

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import NEEDS, missing
from recipes.finding import Cause, Finding
from recipes.readings import read
from recipes.step import Figure, Series
from recipes.steps.curve_figures import curve_figures
from recipes.training_logs.evidence import curve_evidence
from recipes.training_logs.run import Inferred, LoggedRun
from recipes.trend import Array
from recipes.value import Value
from recipes.words import number

NEED_THE_MODEL = (
    *("initial_loss_high", "initial_loss_low", "cannot_overfit", "ignores_input", "batch_mixing"),
    *("frozen_parameters", "missing_zero_grad", "train_eval_mismatch", "batch_norm_small_batch"),
    *("dead_relu", "saturated_activation", "vanishing_gradient", "exploding_gradient"),
    *("activation_scale_drift", "update_ratio_low", "update_ratio_high", "noisy_labels"),
)
"""Codes that are found in the model or the data, not in curves: `sevenstep check` looks there."""

NEED_A_CONSTANT_RATE = ("still_improving", "lr_too_high")
"""Rules that do not speak under a rate that is decayed, or may be."""

NEED_ERRORS = ("oscillation",)
"""Rules that compare with the standard error of the metric, which wants n."""


class Unchecked(Value):
    """Something no rule could say, and why."""

    codes: tuple[str, ...]
    why: str


class RunDiagnosis(Value):
    """A run of a log, diagnosed.

    Attributes:
        findings: Gravest first; ends with ``healthy`` or ``inconclusive`` when none warns.
        unchecked: What could not be looked for.
    """

    name: str
    source: str
    inferred: Inferred
    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...] = ()
    figures: tuple[Figure, ...] = ()


def diagnose(run: LoggedRun) -> RunDiagnosis:
    """Read a run as a trial of our own is read."""
    evidence = curve_evidence(run)
    found = [_in_places(each, run.labels, run.inferred.place) for each in read(evidence)]
    lacks: dict[str, list[str]] = {}
    for code in NEEDS:
        why = missing(code, evidence)
        if why is None and code in NEED_A_CONSTANT_RATE and run.inferred.schedule != "constant":
            why = (
                "a learning rate that is constant, or to be told that it is (--schedule constant)"
            )
        if why is None and code in NEED_ERRORS and run.inferred.num_val is None:
            why = "the number of validation samples (--n)"
        if why is not None:
            lacks.setdefault(why, []).append(code)
    unchecked = [Unchecked(codes=tuple(codes), why=f"needs {why}") for why, codes in lacks.items()]
    unchecked.append(
        Unchecked(
            codes=NEED_THE_MODEL,
            why="needs the model and its data, which a log does not hold: sevenstep check TASK",
        )
    )
    return RunDiagnosis(
        name=run.name,
        source=run.source,
        inferred=run.inferred,
        findings=tuple(found),
        unchecked=tuple(unchecked),
        figures=tuple(_figure_in_places(each, run) for each in curve_figures(evidence))
        or _train_figure(evidence, run),
    )


def _train_figure(evidence: CurveEvidence, run: LoggedRun) -> tuple[Figure, ...]:
    """The train loss alone, where nothing was measured on validation; none without one."""
    by_place, by_iteration = evidence.train_loss.trained, evidence.series.losses
    has_places = len(by_place) > 0
    unit, y = (run.inferred.place, by_place) if has_places else ("iteration", by_iteration)
    if not len(y):
        return ()
    return (
        Figure(
            name="curves_loss",
            title=f"Train loss by {unit}",
            summary=f"Train loss goes from {number(float(y[0]))} to {number(float(y[-1]))}.",
            x_label=unit,
            y_label="loss",
            direction="minimize",
            series=(
                Series(
                    name="train",
                    x=_places(run, len(y)) if has_places else evidence.series.loss_iterations,
                    y=tuple(float(each) for each in y),
                    role="train",
                ),
            ),
        ),
    )


def _figure_in_places(figure: Figure, run: LoggedRun) -> Figure:
    """A figure of step 6 over the file's places: of no trial, and from the first evaluation on."""
    unit = run.inferred.place
    return figure.model_copy(
        update={
            "title": f"{figure.title.partition(' by epoch')[0]} by {unit}",
            "summary": _text_in_places(figure.summary, run.labels, unit),
            "x_label": unit,
            "series": tuple(_series_in_places(each, run) for each in figure.series),
        }
    )


def _series_in_places(series: Series, run: LoggedRun) -> Series:
    if series.x:  # evaluations counted from 1
        at = tuple(float(run.labels[int(each) - 1]) for each in series.x)
        return series.model_copy(update={"x": at})
    # The untrained model stands first, and no log has it.
    y, errors = series.y[1:], series.errors[1:]
    return series.model_copy(update={"x": _places(run, len(y)), "y": y, "errors": errors})


def _places(run: LoggedRun, count: int) -> tuple[float, ...]:
    """The places of its first evaluations."""
    return tuple(float(each) for each in run.labels[:count])


def _in_places(finding: Finding, labels: Array, unit: str) -> Finding:
    """The finding with its epochs as the file counts them, where that differs."""
    if all(label == at for at, label in enumerate(labels, start=1)) and unit == "epoch":
        return finding

    def text(sentence: str) -> str:
        return _text_in_places(sentence, labels, unit)

    evidence = {
        name: float(_place(int(value), labels))
        if name in EPOCH_FIELDS
        and isinstance(value, int | float)
        and value == value
        and value >= 1
        else value
        for name, value in finding.evidence.items()
    }
    causes = tuple(_with_text(cause, text(cause.sentence)) for cause in finding.causes)
    return finding.model_copy(
        update={
            "sentence": text(finding.sentence),
            "action": text(finding.action),
            "causes": causes,
            "evidence": evidence,
        }
    )


def _text_in_places(sentence: str, labels: Array, unit: str) -> str:
    """A sentence with its epochs as the file counts them.

    Rules count evaluations from 1. "epoch 4" becomes what stands at the fourth place;
    counts of epochs, and what is told of "an epoch", become those of evaluations where these
    are not the same.
    """
    sentence = re.sub(
        r"\b([Ee])poch (\d+)",
        lambda m: (
            f"{_cased(m[1], unit)} {_place(int(m[2]), labels)}"
            if int(m[2])
            else f"{m[1]}poch {m[2]}"
        ),
        sentence,
    )
    if unit != "epoch" or any(b - a != 1 for a, b in pairwise(labels)):
        sentence = re.sub(r"\b([\d,]+) epoch(s?)\b", r"\1 evaluation\2", sentence)
        sentence = re.sub(r"\b(an|the first) epoch\b", r"\1 evaluation", sentence)
    return sentence


def _place(evaluation: int, labels: Array) -> str:
    """What stands at an evaluation's place, counted from 1."""
    known = 1 <= evaluation <= len(labels)
    return f"{labels[evaluation - 1]:.10g}" if known else str(evaluation)


EPOCH_FIELDS = frozenset({"best_epoch", "turning_epoch"})
"""Evidence that names an epoch rather than counting some."""


def _with_text(cause: Cause, sentence: str) -> Cause:
    return cause.model_copy(update={"sentence": sentence})


def _cased(letter: str, unit: str) -> str:
    return unit.capitalize() if letter == "E" else unit
