"""A softmax in the model, under a loss that applies its own."""

from __future__ import annotations

import math

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number

SOURCE = "NeuraLint and UMLAUT name the fault; the floor is ours (notes on diagnosis, row 6)"


def loss_floor(num_classes: int) -> float:
    """The lowest cross-entropy probabilities can reach as logits: ln(e + C - 1) - 1, in nats."""
    return math.log(math.e + num_classes - 1) - 1


@rule("double_softmax", Precedence.PROBE)
def double_softmax(evidence: InitialLossEvidence) -> Finding | None:
    """Outputs are probabilities (rows sum to 1) and are scored as logits."""
    description, outputs = evidence.description, evidence.description.outputs
    if outputs is None or description.kind != "classification" or not description.num_classes:
        return None
    if not (outputs.rows_sum_to_one and outputs.loss_is_cross_entropy):
        return None
    floor = loss_floor(description.num_classes)
    return Finding(
        code="double_softmax",
        severity=Severity.ERROR,
        confidence=0.98,
        sentence="Softmax is applied twice: the model's outputs are probabilities (every row sums "
        "to 1), and the cross-entropy takes them for logits. The loss can then never fall below "
        f"{number(floor)}, and gradients shrink.",
        evidence={"loss_floor": floor, "num_classes": description.num_classes},
        causes=(
            Cause(
                code="softmax_layer",
                sentence="The model ends in a softmax.",
                confidence=0.97,
            ),
        ),
        action="Take the softmax out of the model and return logits.",
        source=SOURCE,
    )
