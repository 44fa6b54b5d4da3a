"""A model that stopped improving without fitting even its training samples."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.evidence.trial_series import TrialSeries
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.curve_lr_too_high import lr_too_high_on_curve
from recipes.rules.curve_lr_too_low import LOW_RATIO, lr_too_low_beside_peer, lr_too_low_on_curve
from recipes.rules.curve_stuck_at_chance import stuck_on_curve
from recipes.rules.overfitting import STRONG_GAP, gap_matters
from recipes.rules.overtraining import overtraining
from recipes.rules.registry import Precedence, rule
from recipes.rules.regularisation import heavy_regularisation
from recipes.rules.still_improving import still_improving
from recipes.rules.train_eval_mismatch import is_mode_at_fault
from recipes.rules.val_better_than_train import SURE_ERRORS, val_better_than_train
from recipes.words import listing, number, plural, rate

FITTED = 0.95
"""Accuracy or R² on training samples from which a model counts as fitting them. A sample of
few was memorised (step 2), so 95 % of all is below what it can do (row 33; the number is
ours)."""

FITTED_LOSS_SHARE = 0.3
"""The same without such a metric: train loss as a share of the best constant prediction's."""

HELD_FITTED = 0.99
HELD_LOSS_SHARE = 0.1
"""The same two under heavy regularisation: it is there to be paid for with fit where it closes
a gap (Karpathy's recipe, first overfit, then give some of it up). Where there is no gap, all
that is missing to knowing the samples by heart is too high a price (ours)."""

POOR = 0.85
"""Accuracy on training samples below which a warning needs no other reason. Sound models of
tasks that are hard for them lie between this and ``FITTED`` (ours)."""

LEARNING_SHARE = 0.10
"""Share by which as many epochs again would lower the train loss, from which it still learns."""

BETTER_FIT = 0.05
"""How much better a peer must fit its training samples to show that fit is not what lacks."""

SOURCE = "CS231n notes, curves that lie together; Karpathy's recipe; notes on diagnosis, row 33"


@rule("underfitting", Precedence.FIT)
def underfitting(evidence: CurveEvidence) -> Finding | None:
    """No gap, a poor fit, and a train loss that has stopped to fall.

    A note only where nothing shows that a better fit is to be had (``doubt``). Silent where a
    peer fits its training samples better and validates no better: then not the fit is what
    lacks. Silent under a rate found too low or too high, which explains it.

    Heavy regularisation explains it before the rate does, and slows learning too: under it a
    better fit counts as usual, a gap below ten points as none, and a loss that still falls is
    no excuse while validation hardly follows.
    """
    heavy = bool(heavy_regularisation(evidence))
    if not is_enough("underfitting", evidence) or _has_gap(evidence, heavy):
        return None
    if is_mode_at_fault(evidence) and _fits_in_train_mode(evidence, heavy):
        return None  # the train metric is not that of the model that is trained
    if stuck_on_curve(evidence) is not None:
        return None  # it learned nothing at all, which a larger model would not either
    outlook, loss = evidence.train_outlook, evidence.train_loss
    if outlook is None or _is_fitted(evidence, heavy):
        return None
    is_learning = outlook.gain > LEARNING_SHARE * abs(loss.end)
    if is_learning and not heavy:
        return None
    improving = still_improving(evidence)
    if improving is not None and improving.severity is Severity.WARNING:
        return None  # it had no time to fit
    too_high = lr_too_high_on_curve(evidence)
    if not heavy and too_high is not None and too_high.severity is Severity.WARNING:
        return None
    if lr_too_low_on_curve(evidence) is not None or lr_too_low_beside_peer(evidence) is not None:
        return None
    easier = val_better_than_train(evidence)
    if easier is not None and easier.severity is Severity.WARNING:
        return None  # what it is trained on is harder than it should be
    better = _better_fits(evidence)
    if any(not generalises for _, generalises in better):
        return None
    metric, train, val = evidence.metric, evidence.train, evidence.val
    causes = _causes(evidence, evidence.compared[better[0][0]] if better else None)
    drop = evidence.lr_drop
    unsure = doubt(evidence)
    if not heavy and better and evidence.compared.alike(evidence.series)[better[0][0]]:
        unsure = "the same model fits better at another learning rate"
    elif not unsure and not has_reason(evidence) and drop is not None and drop.confirms:
        unsure = "the plateau may be the learning rate's alone"
    fitted = HELD_FITTED if heavy else FITTED
    share = HELD_LOSS_SHARE if heavy else FITTED_LOSS_SHARE
    limit = (
        metric.text(fitted) if metric.has_points else f"{number(share)} of a constant prediction's"
    )
    target = (
        f"{'less' if metric.has_points else 'more'} than {limit} counts under regularisation as "
        "heavy as this"
        if heavy
        else f"where {limit} {'and more' if metric.has_points else 'loss or less'} is usual"
    )
    course = "still falls, at" if is_learning else "has all but stopped falling at"
    memorised = " though step 2 could memorise a small sample" if evidence.memorises else ""
    consequence = (
        f"a hint only, for {unsure}"
        if unsure
        else "regularisation keeps it from what it could fit"
        if heavy
        else "the model as it is trained cannot express more"
    )
    return Finding(
        code="underfitting",
        severity=Severity.INFO if unsure else Severity.WARNING,
        confidence=0.3 if unsure else 0.8 if evidence.memorises else 0.7,
        sentence=f"Underfitting: after {plural(evidence.epochs, 'epoch')} {metric.label} is "
        f"{metric.text(train.end)} on its own training samples ({target}) and "
        f"{metric.text(val.end, val.end_error)} on validation, and the train loss {course} "
        f"{number(loss.end)}{memorised}: {consequence}. {causes[0].sentence}",
        evidence={
            "train": train.end,
            "val": val.end,
            "gap": evidence.gap,
            "gap_standard_error": evidence.gap_error,
            "train_loss": loss.end,
            "train_slope": -outlook.trend.slope,
            "epochs": evidence.epochs,
            "probe": None if drop is None else "confirmed" if drop.confirms else "refuted",
            "threshold": fitted if metric.has_points else share,
        },
        causes=causes,
        action=ACTIONS[causes[0].code],
        changes=CHANGES.get(causes[0].code, ()),
        source=SOURCE,
    )


ACTIONS = {
    "over_regularised": "Cut the regularisation to a third, then a tenth. Cheapest experiment: "
    "this setting without any for as many epochs; if it still does not fit, widen the model.",
    "better_setting": "Go on from the settings that fit better. Cheapest experiment: this setting "
    "with their learning rate alone.",
    "lr_plateau": "Let the learning rate decay before changing the model. Cheapest experiment: "
    "two epochs from the best weights at a tenth of the rate.",
    "lr_low": "Raise the learning rate threefold. Cheapest experiment: as many epochs at it.",
    "noise_ceiling": "Read the training samples with the highest loss: part of the labels may be "
    "wrong. Cheapest experiment: the same setting at twice the width; if the train metric rises "
    "and validation does not, what is left to fit is noise.",
    "too_small": "Double the model's width, then its depth; better features. Cheapest "
    "experiment: the same setting at twice the width; if the train metric stays, the inputs "
    "may hold no more.",
}
"""What to do, by the likeliest cause."""

CHANGES = {
    "over_regularised": (
        Adjustment(name="weight_decay", factor=0.1),
        Adjustment(name="dropout", factor=1 / 3),
        Adjustment(name="label_smoothing", factor=0.1),
    ),
    "lr_plateau": (Adjustment(name="schedule", value="cosine"),),
    "lr_low": (Adjustment(name="lr", factor=3.0),),
    "too_small": (Adjustment(name="width", factor=2.0),),
}
"""The same for programs. Regularisation goes down where there is any."""


def _has_gap(evidence: CurveEvidence, heavy: bool) -> bool:
    return gap_matters(evidence) and not (
        heavy and evidence.gap < STRONG_GAP * evidence.scale  # what overfitting calls a hint
    )


def _is_fitted(evidence: CurveEvidence, heavy: bool) -> bool:
    if evidence.metric.has_points:
        return evidence.train.end >= (HELD_FITTED if heavy else FITTED)
    return not evidence.train_loss.end > _loss_limit(evidence, heavy)


def _fits_in_train_mode(evidence: CurveEvidence, heavy: bool) -> bool:
    """Whether the loss in train mode is that of a model that fits; also where unknown."""
    losses = evidence.series.mode_losses
    return losses is None or not losses.train > _loss_limit(evidence, heavy)


def _loss_limit(evidence: CurveEvidence, heavy: bool) -> float:
    reference = evidence.baseline if evidence.baseline is not None else evidence.start_loss
    return (HELD_LOSS_SHARE if heavy else FITTED_LOSS_SHARE) * abs(reference)


def has_reason(evidence: CurveEvidence) -> bool:
    """Whether heavy regularisation, or a peer that fits and validates better, shows that more
    is to be had."""
    better = any(generalises for _, generalises in _better_fits(evidence))
    return better or bool(heavy_regularisation(evidence))


def doubt(evidence: CurveEvidence) -> str:
    """Why a poor fit may be all that there is to be had, to stand in a sentence; "" where there
    is a reason to think otherwise, or no doubt."""
    if has_reason(evidence):
        return ""
    if evidence.metric.name != "accuracy":
        return "the targets may hold no more"
    if evidence.train.end >= POOR:
        return f"from {evidence.metric.text(POOR)} on it may be what the task allows"
    if evidence.gap > SURE_ERRORS * evidence.gap_error:
        return "it knows them better than others, by more than chance"
    return ""


def _better_fits(evidence: CurveEvidence) -> list[tuple[int, bool]]:
    """Places of peers with a clearly better train metric, the best first, and whether they
    validate better too."""
    name, metric, peers = evidence.metric.name, evidence.metric, evidence.compared
    error = evidence.val.end_error if math.isfinite(evidence.val.end_error) else 0.0
    sign = 1.0 if metric.maximise else -1.0
    gains = sign * (peers.of_each(_end, name, "train") - evidence.train.end)
    best = peers.of_each(_highest if metric.maximise else _lowest, name, "val")
    generalise = sign * (best - evidence.val.end) > error
    # Comparisons with NaN are false.
    found = np.flatnonzero((gains >= BETTER_FIT * evidence.scale) & ~np.isnan(best)).tolist()
    found.sort(key=lambda at: (-gains[at], peers[at].number))
    return [(at, bool(generalise[at])) for at in found]


def _end(series: TrialSeries, metric: str, split: str) -> float:
    return series.series(metric, split).end


def _highest(series: TrialSeries, metric: str, split: str) -> float:
    return series.series(metric, split).highest


def _lowest(series: TrialSeries, metric: str, split: str) -> float:
    return series.series(metric, split).lowest


def _causes(evidence: CurveEvidence, better: TrialSeries | None) -> tuple[Cause, ...]:
    causes = []
    heavy = heavy_regularisation(evidence)
    if heavy:
        causes.append(
            Cause(
                code="over_regularised",
                sentence=f"Regularisation is heavy: {listing(heavy)}.",
                confidence=0.85,
            )
        )
    if better is not None:
        causes.append(
            Cause(
                code="better_setting",
                sentence=f"Other settings fit better, trial {better.number} with a learning rate "
                f"of {rate(better.lr)} among them.",
                confidence=0.7,
            )
        )
    drop = evidence.lr_drop
    if drop is None and not evidence.is_decayed:
        causes.append(
            Cause(
                code="lr_plateau",
                sentence="The plateau may be the learning rate's: no lower one was tried from "
                "here.",
                confidence=0.45,
            )
        )
    elif drop is not None and drop.confirms:
        causes.append(
            Cause(
                code="lr_plateau",
                sentence=f"The plateau is the learning rate's: at {rate(drop.lr)} the loss "
                "falls again.",
                confidence=0.8,
            )
        )
    if evidence.series.update_ratio < LOW_RATIO:
        causes.append(
            Cause(
                code="lr_low",
                sentence=f"An iteration changes the weights by only "
                f"{rate(evidence.series.update_ratio)} of their size.",
                confidence=0.4,
            )
        )
    probed = (
        f" A learning rate of {rate(drop.lr)} from the best weights did not help "
        f"({drop.words}), so the rate is not what holds it."
        if drop is not None and not drop.confirms
        else ""
    )
    turn = overtraining(evidence)
    turned = turn is not None and not turn.evidence["only_confidence"]
    causes.append(
        Cause(
            code="too_small",
            sentence="The model is too small for the task, or its features say too little."
            + probed,
            confidence=(0.7 if probed else 0.5) - (0.2 if turned else 0.0),
        )
    )
    causes.append(
        Cause(
            code="noise_ceiling",
            sentence="What it went on to learn made validation worse: the rest may be noise, of "
            "inputs that say no more or of wrong labels."
            if turned
            else "The inputs do not say more about the targets, or part of the labels are wrong.",
            confidence=0.6 if turned else 0.2,
        )
    )
    return tuple(sorted(causes, key=lambda cause: -cause.confidence))
