"""Activations that shrink or grow by orders of magnitude from layer to layer."""

from __future__ import annotations

import math

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, rate

DRIFT = 1e3
"""Ratio of the first and last hidden layers' differences between samples. PyTorch's
default initialisation shrinks a plain ReLU layer's variance sixfold, so seven of them stay
below; the notes' ratio of 10 in variance fires on healthy nets (decision 0007)."""

SOURCE = "He et al. 2015; SageMaker Debugger's PoorWeightInitialization; row 24, loosened"


@rule("activation_scale_drift", Precedence.INTERNALS_AT_START)
def activation_scale_drift(evidence: InitialLossEvidence) -> Finding | None:
    """What a layer's outputs tell of the input differs a thousandfold, first to last."""
    signals = evidence.hidden_signals
    finite = [(name, size) for name, size in signals if math.isfinite(size) and size > 0]
    if len(finite) < 3 or evidence.ignores_input:
        return None
    first, last = finite[0], finite[-1]
    ratio = max(first[1], last[1]) / min(first[1], last[1])
    if ratio <= DRIFT:
        return None
    shrinks = last[1] < first[1]
    return Finding(
        code="activation_scale_drift",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"The signal {'shrinks' if shrinks else 'grows'} by {rate(ratio)} from "
        f"{first[0]} (outputs of two samples differ by up to {number(first[1])}) to {last[0]} "
        f"({number(last[1])}) before training, so gradients "
        f"{'vanish' if shrinks else 'explode'} on their way back.",
        evidence={
            "ratio": ratio,
            "first_variation": first[1],
            "last_variation": last[1],
            "num_layers": len(finite),
            "threshold": DRIFT,
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
        source=SOURCE,
    )
