"""Activations that shrink or grow by orders of magnitude from layer to layer.

A signal of the internals is no fault while nothing is impaired (notes on diagnosis,
precedence): what step 1 only notes becomes a warning where the loss starts far too high, or
where step 2 or 3 then fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.initial_loss import initial_loss_high
from recipes.rules.registry import Precedence, rule
from recipes.words import number, rate

DRIFT = 1e3
"""Ratio of the first and last hidden layers' differences between samples. PyTorch's
default initialisation shrinks a plain ReLU layer's variance sixfold, so seven of them stay
below; the notes' ratio of 10 in variance fires on healthy nets (decision 0007)."""

SOURCE = "He et al. 2015; SageMaker Debugger's PoorWeightInitialization; row 24, loosened"


HINT = 100.0
"""The same from which it is noted: four sigmoid layers make 300, four plain ReLU layers 15."""

IMPAIRED_SCORE = 0.8
"""Score of a drift under a thousandfold once learning is impaired (ours)."""

GROWTH = 10.0
"""The same of a signal that grows, where the initial loss is too high: no default
initialisation lets it grow at all."""


@rule("activation_scale_drift", Precedence.INTERNALS_AT_START)
def activation_scale_drift(evidence: InitialLossEvidence) -> Finding | None:
    """What a layer's outputs tell of the input differs a thousandfold, first to last.

    A note from a hundredfold on. Tenfold growth counts beside an initial loss too high.
    """
    signals = evidence.hidden_signals
    finite = [(name, size) for name, size in signals if math.isfinite(size) and size > 0]
    if len(finite) < 3 or evidence.ignores_input:
        return None
    first, last = finite[0], finite[-1]
    ratio = max(first[1], last[1]) / min(first[1], last[1])
    shrinks = last[1] < first[1]
    starts_high = not shrinks and initial_loss_high(evidence) is not None
    least = GROWTH if starts_high else DRIFT
    if ratio <= min(least, HINT):
        return None
    return Finding(
        code="activation_scale_drift",
        severity=Severity.WARNING if ratio > least else Severity.INFO,
        confidence=0.9 if ratio > DRIFT else 0.7 if ratio > least else 0.5,
        sentence=f"The signal {'shrinks' if shrinks else 'grows'} by {rate(ratio)} from "
        f"{first[0]} (outputs of two samples differ by up to {number(first[1])}) to {last[0]} "
        f"({number(last[1])}) before training, so gradients "
        f"{'vanish' if shrinks else 'explode'} on their way back.",
        evidence={
            "ratio": ratio,
            "first_variation": first[1],
            "last_variation": last[1],
            "num_layers": len(finite),
            "threshold": least,
        },
        causes=(
            Cause(
                code="init_scale",
                sentence="Initial weights are too "
                f"{'small' if shrinks else 'large'} for the layers' width.",
                confidence=0.9,
            ),
        ),
        action="Initialise with init=kaiming (ReLU) or init=xavier (tanh), or add normalisation "
        "layers.",
        changes=(Adjustment(name="init", value="kaiming"),),
        source=SOURCE,
    )


@rule("activation_scale_drift", Precedence.INTERNALS_AT_START)
def drift_and_no_memory(evidence: OverfitEvidence) -> Finding | None:
    """Step 1 noted a drift, and no sample can be memorised: now it is the likeliest reason."""
    if evidence.passed or evidence.is_undecidable:
        return None
    return _confirmed(evidence.notes, "no small sample is memorised")


@rule("activation_scale_drift", Precedence.INTERNALS_AT_START)
def drift_and_no_rate(evidence: LrFinderEvidence) -> Finding | None:
    """Step 1 noted a drift, and no rate lowers the loss on unseen samples."""
    if evidence.best is not None:
        return None
    return _confirmed(evidence.notes, "no learning rate lowers the loss on unseen samples")


def _confirmed(notes: Mapping[str, Finding], impaired: str) -> Finding | None:
    noted = notes.get("activation_scale_drift")
    if noted is None:
        return None
    return noted.model_copy(
        update={
            "severity": Severity.WARNING,
            "confidence": IMPAIRED_SCORE,
            "sentence": f"{noted.sentence} Step 1 only noted it; now {impaired}.",
        }
    )
