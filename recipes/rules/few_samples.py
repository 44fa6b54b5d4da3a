"""So few samples that whatever comes out is chance, told before any of it does."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import plural

FEWEST_SAMPLES = 10
"""Samples below which one answer moves accuracy by more than ten points (ours)."""

SOURCE = "Binomial standard error; notes on diagnosis, row 32"


@rule("small_validation_set", Precedence.DATA)
def few_samples(evidence: InitialLossEvidence) -> Finding | None:
    """Both splits have fewer than ten samples; of a small one alone step 3 tells."""
    splits = {split.name: split for split in evidence.description.splits}
    if not {"train", "val"} <= splits.keys():
        return None
    if max(splits[each].num_samples for each in ("train", "val")) >= FEWEST_SAMPLES:
        return None
    val, train = splits["val"], splits["train"]
    return Finding(
        code="small_validation_set",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence=f"{plural(val.num_samples, 'validation sample')} beside "
        f"{plural(train.num_samples, 'training sample')} can tell no setting from another: one "
        f"answer more moves accuracy by {100 / max(1, val.num_samples):.0f} points (from "
        f"{FEWEST_SAMPLES} samples on it may be tried).",
        evidence={
            "num_val": val.num_samples,
            "num_train": train.num_samples,
            "threshold": FEWEST_SAMPLES,
        },
        causes=(
            Cause(
                code="small_split",
                sentence="data() returns a part of the data, or there are no more.",
                confidence=0.9,
            ),
        ),
        action="Return all samples in data(); with so few, no search can help.",
        source=SOURCE,
    )
