"""Outputs that depend on other samples of the batch."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule

SOURCE = "Karpathy's recipe, use backprop to chart dependencies; notes on diagnosis, row 12"


@rule("batch_mixing", Precedence.PROBE)
def batch_mixing(evidence: InitialLossEvidence) -> Finding | None:
    """In eval mode, a sample's output changes when the other samples of its batch do."""
    outputs = evidence.description.outputs
    if outputs is None or not outputs.mixes_batch:
        return None
    return Finding(
        code="batch_mixing",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence="The samples of a batch mix: with every other sample replaced, a sample's own "
        "output changes, in eval mode. Its prediction then depends on its neighbours, and no "
        "metric means what it says.",
        evidence={"mixes_batch": True},
        causes=(
            Cause(
                code="wrong_axis",
                sentence="A view, transpose or attention works along the batch's dimension "
                "(batch_first forgotten, say).",
                confidence=0.9,
            ),
            Cause(
                code="batch_statistics",
                sentence="A layer normalises by the batch's own statistics in eval mode too.",
                confidence=0.3,
            ),
        ),
        action="Find the layer whose output for sample 0 changes with sample 1, and mend its "
        "reshape or its axis.",
        source=SOURCE,
    )
