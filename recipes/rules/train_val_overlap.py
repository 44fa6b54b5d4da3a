"""Validation samples that stand in the training data too."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.inputs_not_normalised import are_inputs_constant
from recipes.rules.registry import Precedence, rule
from recipes.words import percent, plural

WARN_SHARE = 0.01
WARN_COUNT = 5
"""Share and number of validation samples from which it is a warning (ours): the accuracy is
then off by up to a point, and one or two are duplicates that most public sets have."""

DUPLICATED_SHARE = 0.5
"""Of the share that is shared, what must also stand twice in train to make the source the
likelier cause than the split (ours)."""

SOURCE = "Notes on diagnosis, row 36 (hash-duplicate check); method.md, step 0"


@rule("train_val_overlap", Precedence.DATA)
def train_val_overlap(evidence: InitialLossEvidence) -> Finding | None:
    """Identical inputs on both sides of the split, found by their hashes."""
    overlap = evidence.description.overlap
    if not overlap.train_val or are_inputs_constant(evidence.description):
        return None
    splits = {split.name: split for split in evidence.description.splits}
    train, val = splits["train"].num_samples, splits["val"].num_samples
    share = overlap.train_val / max(1, val)
    repeated = overlap.within_train / max(1, train)
    warns = share >= WARN_SHARE and overlap.train_val >= WARN_COUNT
    is_source = repeated >= DUPLICATED_SHARE * share
    return Finding(
        code="train_val_overlap",
        severity=Severity.WARNING if warns else Severity.INFO,
        confidence=0.95,
        sentence=f"{plural(overlap.train_val, 'validation sample')} of {val:,} "
        f"({percent(share)}, where {percent(WARN_SHARE)} count) "
        f"{'stands' if overlap.train_val == 1 else 'stand'} in the training data too: on these "
        "validation measures memory, so it promises more than new samples will show.",
        evidence={
            "num_shared": overlap.train_val,
            "share": share,
            "num_val": val,
            "num_repeated_in_train": overlap.within_train,
            "num_conflicting": overlap.conflicting,
            "threshold": WARN_SHARE,
        },
        causes=(
            Cause(
                code="duplicates_before_split",
                sentence=f"The data hold samples more than once ({percent(repeated)} of train): "
                "the source has duplicates, or they were oversampled before the split.",
                confidence=0.8 if is_source else 0.2,
            ),
            Cause(
                code="split_leak",
                sentence="Both splits were drawn from the same samples.",
                confidence=0.2 if is_source else 0.8,
            ),
            Cause(
                code="few_distinct_inputs",
                sentence="The inputs can take few values, so that equal ones are chance.",
                confidence=0.4 if overlap.conflicting else 0.1,
            ),
        ),
        action="Remove duplicates before splitting, and split by what belongs together (person, "
        "document, time). Cheapest experiment: evaluate on the validation samples that are not "
        "shared; the difference is what the overlap was worth.",
        source=SOURCE,
    )
