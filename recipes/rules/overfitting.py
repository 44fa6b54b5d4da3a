"""A model that is much better on its training samples than on others."""

from __future__ import annotations

from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.sufficiency import is_enough, missing
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.inputs_not_normalised import scales_differ
from recipes.rules.overtraining import overtraining
from recipes.rules.registry import Precedence, rule
from recipes.rules.still_improving import still_improving
from recipes.rules.val_below_chance import val_below_chance
from recipes.rules.val_better_than_train import SURE_ERRORS
from recipes.words import number, plural, rate

WARN_GAP = 0.05
STRONG_GAP = 0.10
"""Points of accuracy or R² (else shares of the improvement since the start) from which a gap
warns, and is strong (notes on diagnosis, row 30). The ratio of the losses misleads: above
0.1 it has a precision of 0.23 on 419 labelled histories (5.1)."""

KEPT_FIT = 0.4
"""Share of the training samples' R² that validation must lie under for a strong gap. R² on the
samples that were fitted is too high by the parameters' share of them even in a sound regression
(Wherry 1931), and the more so the noisier the targets are (the number is ours)."""

FEWEST_VAL = 50
"""Validation samples below which the normal approximation of a share's error, and with it the
gap's, does not hold: ten right and ten wrong are wanted (Agresti & Coull 1998; ours)."""

HEAVY_DECAY = 1e-2
"""Weight decay from which more of it is no advice, and underfitting is its fault (ours)."""

SOURCE = "CS231n notes, train and validation accuracy; Karpathy's recipe; row 30"


@rule("overfitting", Precedence.FIT)
def overfitting(evidence: CurveEvidence) -> Finding | None:
    """The gap between the splits is certain and large.

    A hint only below eight epochs, below three standard errors, and while validation
    still improves: then the gap costs nothing yet. Between five and ten points it does harm
    where the validation loss has turned, be it that the metric went on improving, if the rise
    is beyond chance.
    """
    if not gap_matters(evidence):
        return None
    lacking = missing("overfitting", evidence)
    if lacking is None and evidence.val.n < FEWEST_VAL:
        lacking = f"{FEWEST_VAL} validation samples"
    growing = still_improving(evidence)
    is_strong = _is_strong(evidence)
    turned = overtraining(evidence)
    does_harm = is_strong or (turned is not None and _costs(turned))
    is_growing = growing is not None and growing.severity is Severity.WARNING
    is_sure = evidence.gap > SURE_ERRORS * evidence.gap_error
    is_hint = lacking is not None or is_growing or not does_harm or not is_sure
    metric, train, val = evidence.metric, evidence.train, evidence.val
    noise = SIGNIFICANT_ERRORS * evidence.gap_error
    consequence = "much of what it learns does not carry over to new samples"
    if is_growing:
        consequence = "validation still improves, so this is no fault yet"
    elif lacking is not None:
        consequence = f"a hint only, for a verdict wants {lacking}"
    elif not is_sure:
        consequence = "a hint only, for one sound split in forty has such a gap by chance"
    elif is_hint:
        consequence = "validation has not turned, so it costs nothing yet"
    decay = _number(evidence, "weight_decay")
    return Finding(
        code="overfitting",
        severity=Severity.INFO if is_hint else Severity.WARNING,
        confidence=0.4 if is_hint else 0.95 if is_strong else 0.8,
        sentence=f"Overfitting: {metric.label} after {plural(evidence.epochs, 'epoch')} is "
        f"{metric.text(train.end)} on training samples and {metric.text(val.end, val.end_error)} "
        f"on validation, a gap of {metric.difference(evidence.gap)} (chance explains "
        f"{metric.difference(noise)}, from {metric.difference(WARN_GAP * evidence.scale)} on it "
        f"counts): {consequence}.",
        evidence={
            "gap": evidence.gap,
            "gap_standard_error": evidence.gap_error,
            "train": train.end,
            "val": val.end,
            "num_train": train.n,
            "num_val": val.n,
            "epochs": evidence.epochs,
            "weight_decay": decay,
            "threshold": (STRONG_GAP if is_strong else WARN_GAP) * evidence.scale,
        },
        causes=_causes(evidence, decay),
        action="More data or augmentation helps most. Within the search: "
        f"{_decay_words(decay)}, then dropout up by 0.1 to 0.2, label smoothing 0.1, a smaller "
        "model. Cheapest experiment: this setting once more with ten times the weight decay; if "
        "the gap stays, data or capacity are the cause.",
        changes=(Adjustment(name="weight_decay", factor=10.0, least=1e-4),)
        if decay is None or decay < HEAVY_DECAY
        else (Adjustment(name="dropout", factor=1.5, least=0.2, most=0.5),),
        source=SOURCE,
    )


def gap_matters(evidence: CurveEvidence) -> bool:
    """Whether the gap exceeds both chance and the least that counts."""
    # Comparisons with NaN are false: an unknown gap is none.
    return (
        evidence.gap >= WARN_GAP * evidence.scale
        and evidence.gap > SIGNIFICANT_ERRORS * evidence.gap_error
        and is_enough("val_better_than_train", evidence)
        # The validation samples themselves are at fault:
        and val_below_chance(evidence) is None
        and not scales_differ(evidence.description)
    )


def _is_strong(evidence: CurveEvidence) -> bool:
    """Whether the gap alone says that it does harm."""
    if evidence.metric.name == "r2" and evidence.val.end >= KEPT_FIT * evidence.train.end:
        return False
    return evidence.gap >= STRONG_GAP * evidence.scale


def _costs(turned: Finding) -> bool:
    """Whether a turn of the validation loss is more than a few samples' doing."""
    if turned.severity is Severity.WARNING:
        return True
    rise, error = turned.evidence["rise_in_errors"], SIGNIFICANT_ERRORS
    return isinstance(rise, (int, float)) and rise > error


def _causes(evidence: CurveEvidence, decay: float | None) -> tuple[Cause, ...]:
    samples = evidence.description.split("train").num_samples
    parameters = evidence.description.num_parameters
    little_data = Cause(
        code="little_data",
        sentence=f"{plural(samples, 'training sample')} are few for "
        + (f"{plural(parameters, 'parameter')}." if parameters else "this model."),
        confidence=0.6 if parameters > samples else 0.4,
    )
    weak = Cause(
        code="weak_regularisation",
        sentence="Nothing holds the weights back: weight decay is 0."
        if decay == 0
        else f"Weight decay {number(decay)} is weak."
        if decay is not None
        else "Regularisation is weak.",
        confidence=0.5 if not decay or decay < 1e-3 else 0.3,
    )
    capacity = Cause(
        code="too_much_capacity",
        sentence="The model is larger than the task needs.",
        confidence=0.3,
    )
    ranked = sorted((little_data, weak, capacity), key=lambda cause: -cause.confidence)
    return tuple(ranked)


def _decay_words(decay: float | None) -> str:
    if not decay:
        return "weight decay from 1e-4 upwards"
    if decay >= HEAVY_DECAY:
        return f"weight decay is heavy already ({rate(decay)})"
    return f"weight decay {rate(3 * decay)} to {rate(10 * decay)} instead of {rate(decay)}"


def _number(evidence: CurveEvidence, name: str) -> float | None:
    value = evidence.series.params.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value is not None else None
