"""Batch normalisation over batches too small to have statistics."""

from __future__ import annotations

from recipes.description import TaskDescription
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule

FEWEST = 8
"""Samples a batch below which batch norm's statistics are mostly noise (row 43; Wu & He 2018,
figure 1: at 8 its error begins to leave group norm's)."""

SOURCE = "Wu & He 2018, group normalization; notes on diagnosis, row 43"


@rule("batch_norm_small_batch", Precedence.PROBE)
def batch_norm_small_default(evidence: InitialLossEvidence) -> Finding | None:
    """The batch size that the study fixes, that in the middle of the space, or the default one."""
    description, own = evidence.description, evidence.batch_size
    return _finding(description, description.default_batch_size if own is None else own)


@rule("batch_norm_small_batch", Precedence.PROBE)
def batch_norm_small_batch(evidence: CurveEvidence) -> Finding | None:
    """The trial's own batch size."""
    description = evidence.description
    own = evidence.series.params.get("batch_size", description.default_batch_size)
    if isinstance(own, bool) or not isinstance(own, (int, float)):
        return None
    return _finding(description, int(own))


def _finding(description: TaskDescription, batch: int) -> Finding | None:
    if not description.has_batch_norm or batch >= FEWEST:
        return None
    alone = batch <= 1
    consequence = (
        "one sample has no spread: torch refuses where the layer's outputs have no other "
        "dimension, and elsewhere each sample is normalised by itself"
        if alone
        else "its mean and spread change from batch to batch, and evaluation, which uses their "
        "running averages, sees another model than training did"
    )
    return Finding(
        code="batch_norm_small_batch",
        severity=Severity.ERROR if alone else Severity.WARNING,
        confidence=0.9,
        sentence=f"The model has batch normalisation and trains on batches of {batch}, where "
        f"fewer than {FEWEST} count: {consequence}.",
        evidence={"batch_size": batch, "threshold": FEWEST},
        causes=(
            Cause(
                code="small_batch",
                sentence="The batch is small, for memory's sake perhaps.",
                confidence=0.9,
            ),
        ),
        action="Larger batches, or group normalisation (nn.GroupNorm), which does not look at the "
        "batch. Cheapest experiment: one epoch with nn.GroupNorm at the same batch.",
        changes=(Adjustment(name="batch_size", factor=4.0, least=2.0 * FEWEST),),
        source=SOURCE,
    )
