"""A validation loss that turned while the train loss went on falling."""

from __future__ import annotations

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.metric import Metric
from recipes.rules.inputs_not_normalised import scales_differ
from recipes.rules.registry import Precedence, rule
from recipes.rules.val_below_chance import val_below_chance
from recipes.trend import Array, trend
from recipes.words import number, percent, plural

WARN_RISE = 0.03
SURE_RISE = 0.05
"""Rise of the smoothed validation loss over its minimum (Prechelt's generalisation loss). On
419 labelled histories 3 % has precision 0.94 and recall 1.00, and 0 of 33 false alarms on
others (notes on diagnosis, row 31 and 5.1)."""

EPOCHS_AFTER = 5
"""Epochs after the minimum that must have been seen."""

HINT_RISE = 0.05
HINT_EPOCHS_AFTER = 2
"""The same for short runs, on raw values: a hint only (row 31)."""

RELEVANT_RISE = 0.005
"""A rise below this share of the untrained model's loss is no harm, however large it is
beside a tiny minimum."""

RISE_ERRORS = 1.5
"""Standard errors of the validation loss that the rise must exceed for a warning. The samples
are the same at both ends, so the error of their difference is smaller; but few of them make
most of the rise, so it is not much smaller. Sound runs of few samples reach 0.9 (ours)."""

STRONG_P = 0.01
"""Mann-Kendall's p for "does not rise" under which the turn is beyond doubt (row 31)."""

PATIENCE = 5
"""Epochs without a better one after which to stop (row 31)."""

SOURCE = "Prechelt 1998, Early stopping - but when?; tuning playbook; notes on diagnosis, row 31"


@rule("overtraining", Precedence.FIT)
def overtraining(evidence: CurveEvidence) -> Finding | None:
    """Validation loss ends above its minimum, and the train loss fell meanwhile."""
    smooth_enough = is_enough("overtraining", evidence)
    if not len(evidence.val_loss) or len(evidence.train_loss) < len(evidence.val_loss):
        return None
    losses = evidence.val_loss.smooth if smooth_enough else evidence.val_loss.trained
    rise = evidence.loss_rise if smooth_enough else evidence.raw_loss_rise
    turn = int(losses.argmin())
    after = len(losses) - 1 - turn
    least, wait = (WARN_RISE, EPOCHS_AFTER) if smooth_enough else (HINT_RISE, HINT_EPOCHS_AFTER)
    # Comparisons with NaN are false.
    if not rise > least or after < wait:
        return None
    if losses[-1] - losses[turn] < RELEVANT_RISE * evidence.start_loss:
        return None
    train = evidence.train_loss.smooth if smooth_enough else evidence.train_loss.trained
    if not train[-1] < train[turn] or val_below_chance(evidence) is not None:
        return None
    if scales_differ(evidence.description):
        return None
    error = evidence.val_loss.end_error
    is_certain = not losses[-1] - losses[turn] <= RISE_ERRORS * error  # or the error is unknown
    metric, scores = evidence.metric, evidence.val
    score = scores.smooth if smooth_enough else scores.trained
    knows_score = len(score) == len(losses) and metric.name != "loss"
    before, now = (float(score[turn]), float(score[-1])) if knows_score else (0.0, 0.0)
    only_confidence = knows_score and _still_improves(metric, score[turn:])
    line = trend(losses[turn:])
    is_sure = rise > SURE_RISE
    is_strong = line is not None and line.p_rising < STRONG_P
    consequence = (
        f"but {metric.label} still improved from {metric.text(before)} to {metric.text(now)}: it "
        "grows too sure of itself rather than wrong"
        if only_confidence
        else f"the last {plural(after, 'epoch')} only memorise"
    )
    if smooth_enough and not is_certain:
        caveat = f" (a hint only: {evidence.val_loss.n:,} samples explain {number(error)} of it)"
    else:
        caveat = "" if smooth_enough else " (a hint only: under 10 epochs a turn may be noise)"
    is_hint = only_confidence or not smooth_enough or not is_certain
    return Finding(
        code="overtraining",
        severity=Severity.INFO if is_hint else Severity.WARNING,
        confidence=_confidence(is_sure=is_sure, is_strong=is_strong) if smooth_enough else 0.4,
        sentence=f"Validation loss turned at epoch {turn + 1}: since then it rose by "
        f"{percent(rise)} from {number(float(losses[turn]))} to {number(float(losses[-1]))} "
        f"({percent(least)} count) while the train loss fell from {number(float(train[turn]))} to "
        f"{number(float(train[-1]))}; {consequence}{caveat}.",
        evidence={
            "rise": rise,
            "turning_epoch": turn + 1,
            "epochs_after": after,
            "loss_at_minimum": float(losses[turn]),
            "loss_at_end": float(losses[-1]),
            "rise_in_errors": float(losses[-1] - losses[turn]) / error if error > 0 else None,
            "p_rising": line.p_rising if line else None,
            "only_confidence": only_confidence,
            "best_epoch": evidence.best_epoch,
            "threshold": least,
        },
        causes=_causes(only_confidence=only_confidence),
        action="Label smoothing 0.1 or a calibrated temperature, if the probabilities matter; for "
        f"{metric.label} keep epoch {evidence.best_epoch}'s weights. Cheapest experiment: the "
        "same run with label smoothing."
        if only_confidence
        else f"Keep epoch {turn + 1}'s weights (stop after {PATIENCE} epochs without a better "
        "one). Then regularise: three to ten times the weight decay. Cheapest experiment: the "
        "same run with it; if the turn comes no later, data are what is missing.",
        changes=(Adjustment(name="label_smoothing", value=0.1),)
        if only_confidence
        else (Adjustment(name="weight_decay", factor=10.0, least=1e-4),),
        source=SOURCE,
    )


def _still_improves(metric: Metric, scores: Array) -> bool:
    """Whether the metric ends above where the loss turned, and nearer to its best since then."""
    first, last = float(scores[0]), float(scores[-1])
    best = float(scores.max() if metric.maximise else scores.min())
    gained = metric.gain(first, last)
    return gained > 0 and metric.gain(last, best) < gained


def _confidence(*, is_sure: bool, is_strong: bool) -> float:
    if is_sure:
        return 0.95 if is_strong else 0.9
    return 0.75 if is_strong else 0.7


def _causes(*, only_confidence: bool) -> tuple[Cause, ...]:
    too_long = Cause(
        code="too_long",
        sentence="It trains longer than the data have something to say.",
        confidence=0.6,
    )
    if only_confidence:
        return (
            Cause(
                code="over_confidence",
                sentence="Weights grow to make right answers surer, and the few wrong ones too.",
                confidence=0.8,
            ),
            too_long.model_copy(update={"confidence": 0.2}),
        )
    return (
        too_long,
        Cause(
            code="weak_regularisation",
            sentence="Nothing keeps it from memorising.",
            confidence=0.5,
        ),
        Cause(
            code="noisy_labels",
            sentence="Part of the labels are wrong, and are learned last.",
            confidence=0.2,
        ),
    )
