"""ReLU units that are zero for every sample, and so never learn."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.inputs_not_normalised import are_inputs_raw
from recipes.rules.registry import Precedence, rule
from recipes.words import percent

NOTE_SHARE = 0.2
FAIL_SHARE = 0.5
"""Share of a layer's units (SageMaker Debugger's DeadRelu fails at 0.5, AutoTrainer at 0.7)."""

BIAS = Cause(
    code="negative_bias",
    sentence="The layer's bias is initialised far below zero.",
    confidence=0.6,
)
OFFSET = Cause(code="input_offset", sentence="Its inputs are far from mean zero.", confidence=0.3)
OFFSET_SEEN = Cause(
    code="input_offset",
    sentence="The task's inputs are not normalised, and push these units below zero.",
    confidence=0.8,
)

SOURCE = "SageMaker Debugger's DeadRelu; notes on diagnosis, row 20"


@rule("dead_relu", Precedence.INTERNALS_AT_START)
def dead_relu(evidence: InitialLossEvidence) -> Finding | None:
    """A layer whose units are zero for every sample, before training has begun.

    Up to half of them it is a note: where a layer's inputs hardly differ from sample to sample
    (the last state of a recurrent net) units start shut and open when what is before them
    learns; and over few samples a unit that is seldom above zero looks dead.
    """
    layer, share = evidence.dead_share
    if share <= NOTE_SHARE:
        return None
    fails = share > FAIL_SHARE
    is_offset = are_inputs_raw(evidence.description)
    return Finding(
        code="dead_relu",
        severity=Severity.ERROR if fails else Severity.INFO,
        confidence=0.95,
        sentence=f"{percent(share)} of the ReLU units of layer {layer} are dead at "
        f"initialisation: zero for every sample, where under {percent(NOTE_SHARE)} is usual. No "
        "gradient passes them, so "
        f"{'the network cannot learn' if fails else 'until one opens it does not learn'}.",
        evidence={
            "layer": layer,
            "dead_share": share,
            "threshold": FAIL_SHARE if fails else NOTE_SHARE,
        },
        causes=(OFFSET_SEEN, BIAS) if is_offset else (BIAS, OFFSET),
        action="Standardise the inputs first; if units are dead then too, initialise biases with "
        "zero and weights by He's rule (init=kaiming)."
        if is_offset
        else "Initialise biases with zero and weights by He's rule (init=kaiming), or use "
        "LeakyReLU or GELU.",
        changes=(
            Adjustment(name="standardise", value=True)
            if is_offset
            else Adjustment(name="init", value="kaiming"),
        ),
        source=SOURCE,
    )
