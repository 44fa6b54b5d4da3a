"""A trial whose learning rate is too high: fast at first, then stuck above what is possible."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.lr_drop import DROP, LrDrop
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.dead_relu import FAIL_SHARE
from recipes.rules.lower_rate import (
    FAR_BELOW,
    LOWER_RATE,
    RUINED_SHARE,
    SURE_ERRORS,
    BetterLower,
    better_lower,
    has_diverged,
)
from recipes.rules.registry import Precedence, rule
from recipes.rules.regularisation import heavy_regularisation
from recipes.rules.train_eval_mismatch import is_mode_at_fault
from recipes.trend import trend
from recipes.words import number, percent, plural, rate

EARLY_SHARE = 0.8
EARLY_PART = 0.2
"""Of the whole fall, the share done in the first part of the iterations (row 17)."""

ABOVE_PEER = 0.10
"""Share by which the train loss must end above the best peer's after as many epochs (row 17)."""

RELEVANT_LOSS = 0.02
"""The difference to the peer that counts, as a share of the untrained model's loss: between
two losses near zero a tenth is nothing."""

WORTH_SHARE = 0.03
"""Points of accuracy or R² (else share of the improvement since the start) that the probe must
gain for a warning: any constant rate gains a little by coming down in the end. Public logs gain
7 to 13 points where the rate was at fault (notes on diagnosis, 0.4)."""

SOURCE = "CS231n notes, high rates decay fast and get stuck higher; notes on diagnosis, row 17"


@rule("lr_too_high", Precedence.LEARNING_RATE)
def lr_too_high_on_curve(evidence: CurveEvidence) -> Finding | None:
    """Confirmed by the LR-drop probe, shown by a trial that differs in its lower rate alone, or
    suspected from the curve and a peer that got lower.

    Over a mere suspicion a probe that did not confirm it has the last word, but where the
    model knows next to nothing: weights that a rate has ruined do not come back at a lower
    one. Under heavy regularisation, which holds the loss up at any rate, a note at most.
    """
    if evidence.is_decayed or is_mode_at_fault(evidence):
        return None  # in the second case the losses are not those of the model that is trained
    drop, better = evidence.lr_drop, None
    if not heavy_regularisation(evidence):
        better = better_lower(evidence)
    if drop is not None and drop.confirms:
        return _confirmed(evidence, drop, better)
    if better is not None:
        return _shown(evidence, better)
    return _suspected(evidence) if drop is None or knows_nothing(evidence) else None


def knows_nothing(evidence: CurveEvidence) -> bool:
    """Whether the train loss ends near that of a model that looks at no input."""
    known = [evidence.start_loss, math.nan if evidence.baseline is None else evidence.baseline]
    reference = min((each for each in known if math.isfinite(each)), default=math.nan)
    return evidence.train_loss.end > RUINED_SHARE * reference


def ruins_from_the_start(evidence: CurveEvidence) -> bool:
    """Whether a decay comes too late: next to nothing is learned, or most of a layer is dead.

    Dead units get no gradient and stay dead at any later rate (CS231n notes on ReLU).
    """
    # Comparisons with NaN are false: unmeasured units count as alive.
    return knows_nothing(evidence) or evidence.series.dead_share > FAIL_SHARE


def _confirmed(evidence: CurveEvidence, drop: LrDrop, better: BetterLower | None) -> Finding:
    """A warning where the probe's gain is more than noise, or a lower rate's trial shows it."""
    lr = evidence.series.lr
    known = drop.gain_error if math.isfinite(drop.gain_error) else 0.0
    worth = WORTH_SHARE * evidence.scale if math.isfinite(evidence.scale) else 0.0
    gains = drop.gain > max(SIGNIFICANT_ERRORS * known, worth)
    pays = (gains and not heavy_regularisation(evidence)) or better is not None
    from_start = ruins_from_the_start(evidence)
    return Finding(
        code="lr_too_high",
        severity=Severity.WARNING if pays else Severity.INFO,
        confidence=0.9 if pays else 0.6,
        sentence=f"Learning rate {rate(lr)} is too high for the end of training, confirmed by a "
        f"probe: {plural(drop.epochs, 'epoch')} from the best weights at {rate(drop.lr)} took "
        f"{drop.words} (a fall of the train loss by {number(drop.threshold, 2)} counts). The "
        "plateau is this rate's, not the model's.",
        evidence={
            "lr": lr,
            "probe": "confirmed",
            "probe_trial": drop.probe,
            "probe_lr": drop.lr,
            "train_loss_before": drop.train_before,
            "train_loss_after": drop.train_after,
            "metric_gain": drop.gain,
            "threshold": drop.threshold,
        },
        causes=(
            Cause(
                code="no_decay",
                sentence="The rate stays constant where it should come down.",
                confidence=0.4 if from_start else 0.8,
            ),
            Cause(
                code="lr_high",
                sentence="The rate is too high from the start.",
                confidence=0.8 if from_start else 0.4,
            ),
        )[:: -1 if from_start else 1],
        action=f"Start at {rate(drop.lr)}, the probe's rate: a decay would begin at {rate(lr)} "
        "too, and what breaks there does not mend."
        if from_start
        else f"Let the rate decay (schedule=cosine) and try {rate(lr)} to {rate(10 * lr)} with "
        f"it: a decayed run wants a higher start. Or, constant, {rate(lr / 3)}.",
        changes=(Adjustment(name="lr", factor=1 / DROP),)
        if from_start
        else (Adjustment(name="schedule", value="cosine"),),
        source=SOURCE,
    )


def _shown(evidence: CurveEvidence, better: BetterLower) -> Finding:
    """A trial that differs in its rate alone learned far more."""
    lr, peer = evidence.series.lr, better.peer
    metric, loss = evidence.metric, number(evidence.train_loss.end)
    diverges = has_diverged(evidence)
    here = "its loss exploded" if diverges else f"its train loss ends at {loss}"
    beyond = (
        ""
        if diverges
        else f" and is better on validation by {metric.difference(better.gain)} "
        f"({metric.difference(SURE_ERRORS * better.error)} count)"
    )
    from_start = diverges or ruins_from_the_start(evidence)
    return Finding(
        code="lr_too_high",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"Learning rate {rate(lr)} is too high: {here}, where trial {peer.number}, the "
        f"same but for its rate of {rate(peer.lr)}, reached {number(better.train_loss)}{beyond}.",
        evidence={
            "lr": lr,
            "train_loss": None if diverges else evidence.train_loss.end,
            "peer": peer.number,
            "peer_lr": peer.lr,
            "peer_train_loss": better.train_loss,
            "metric_gain": None if diverges else better.gain,
            "threshold": FAR_BELOW * evidence.start_loss,
        },
        causes=(
            Cause(
                code="lr_high",
                sentence="The rate is too high to settle: steps jump over the minimum.",
                confidence=0.9 if from_start else 0.8,
            ),
            Cause(
                code="no_decay",
                sentence="The rate stays constant where it should come down.",
                confidence=0.3 if from_start else 0.5,
            ),
        ),
        action=f"A rate of {rate(peer.lr)}, as trial {peer.number} has."
        if from_start
        else f"A rate of {rate(peer.lr)}, as trial {peer.number} has; or let {rate(lr)} decay "
        "(schedule=cosine).",
        changes=(Adjustment(name="lr", factor=peer.lr / lr),),
        source=SOURCE,
    )


def _suspected(evidence: CurveEvidence) -> Finding | None:
    if not is_enough("lr_too_high", evidence) or evidence.best_peer is None:
        return None
    if heavy_regularisation(evidence):
        return None  # it holds the loss up at any rate
    peer, peer_loss = evidence.best_peer
    lr, loss = evidence.series.lr, evidence.train_loss.end
    # Comparisons with NaN are false.
    if not peer.lr * LOWER_RATE <= lr:
        return None
    excess = loss - peer_loss
    if not excess >= max(ABOVE_PEER * abs(peer_loss), RELEVANT_LOSS * evidence.start_loss):
        return None
    early = early_share(evidence)
    second_half = trend(evidence.series.blocks[len(evidence.series.blocks) // 2 :])
    if not early >= EARLY_SHARE or second_half is None or second_half.falls:
        return None
    course = (
        f"{percent(early)} of the fall came in the first {percent(EARLY_PART)} of the iterations, "
        "then the train loss stood still at"
        if evidence.series.blocks[0] > loss
        else "the train loss never fell below its start and ended at"
    )
    return Finding(
        code="lr_too_high",
        severity=Severity.WARNING,
        confidence=0.6,
        sentence=f"Learning rate {rate(lr)} looks too high: {course} {number(loss)}, where trial "
        f"{peer.number} reached {number(peer_loss)} in as many epochs at {rate(peer.lr)} (a tenth "
        "above it counts).",
        evidence={
            "lr": lr,
            "early_share": early,
            "train_loss": loss,
            "peer": peer.number,
            "peer_lr": peer.lr,
            "peer_train_loss": peer_loss,
            "threshold_early": EARLY_SHARE,
            "threshold_above_peer": ABOVE_PEER,
        },
        causes=(
            Cause(
                code="lr_high",
                sentence="The rate is too high to settle: steps jump over the minimum.",
                confidence=0.6,
            ),
            Cause(
                code="other_setting",
                sentence=f"Something else than the rate makes trial {peer.number} fit better.",
                confidence=0.4,
            ),
            Cause(
                code="early_saturation",
                sentence="It fits what this model can fit quickly.",
                confidence=0.2,
            ),
        ),
        action=f"A rate of {rate(lr / 3)}, or a decay. Cheapest experiment: two epochs from the "
        f"best weights at {rate(lr / 10)}; if the train loss falls at once, the rate was it.",
        changes=(Adjustment(name="lr", factor=1 / 3),),
        source=SOURCE,
    )


def early_share(evidence: CurveEvidence) -> float:
    """Share of the train loss's whole fall done in the first fifth of the iterations; 1 when
    it did not fall."""
    blocks = evidence.series.blocks
    start, end = float(np.median(blocks[:3])), float(np.median(blocks[-5:]))
    at = max(3, round(EARLY_PART * len(blocks)))
    fall = start - end
    return (start - float(np.median(blocks[at - 3 : at]))) / fall if fall > 0 else 1.0
