"""A loss that sums over the batch where it should average."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number

DOUBLED = (1.9, 2.1)
"""loss(2B)/loss(B) of a sum over the batch is 2, of a mean 1 (TheDeepChecker; row 5)."""

SOURCE = "TheDeepChecker's doubling check; notes on diagnosis, row 5"


@rule("sum_reduction", Precedence.PROBE)
def sum_reduction(evidence: InitialLossEvidence) -> Finding | None:
    """The same batch twice gives twice the loss."""
    outputs = evidence.description.outputs
    if outputs is None or outputs.loss_ratio_when_doubled is None:
        return None
    ratio = outputs.loss_ratio_when_doubled
    if not DOUBLED[0] <= ratio <= DOUBLED[1]:
        return None
    batch = evidence.description.default_batch_size
    return Finding(
        code="sum_reduction",
        severity=Severity.ERROR,
        confidence=0.97,
        sentence=f"The loss sums over the batch: the same samples twice give {number(ratio)} "
        f"times the loss, where a mean gives 1. Every learning rate then acts {batch} times as "
        f"strongly at a batch of {batch}, and changes its meaning with the batch size.",
        evidence={"loss_ratio_when_doubled": ratio, "initial_loss": evidence.loss},
        causes=(
            Cause(
                code="reduction_sum",
                sentence='The loss is called with reduction="sum", or ends in .sum().',
                confidence=0.95,
            ),
        ),
        action="Return the mean over the batch from loss(); a rate tuned on the sum is to be "
        f"multiplied by about {batch}.",
        source=SOURCE,
    )
