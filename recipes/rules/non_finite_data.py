"""Inputs or targets that hold NaN or infinity."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import plural

SOURCE = "notes on diagnosis, row 9 (UMLAUT)"
CAUSES = (
    Cause(
        code="missing_values",
        sentence="Missing values were read as NaN.",
        confidence=0.6,
    ),
    Cause(
        code="division_by_zero",
        sentence="A feature was standardised by a standard deviation of zero.",
        confidence=0.3,
    ),
)


@rule("non_finite_data", Precedence.DATA)
def non_finite_data(evidence: InitialLossEvidence) -> Finding | None:
    """Any training sample with a non-finite input or target."""
    inputs, targets = evidence.description.inputs, evidence.description.targets
    if not inputs.num_non_finite and not targets.num_non_finite:
        return None
    where, count, first = (
        ("inputs", inputs.num_non_finite, inputs.first_non_finite)
        if inputs.num_non_finite
        else ("targets", targets.num_non_finite, targets.first_non_finite)
    )
    return Finding(
        code="non_finite_data",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"{plural(count, 'training sample')} of {inputs.num_looked_at:,} looked at "
        f"{_hold(count)} {where} (first at sample {first}): the loss becomes NaN on the first "
        "batch with one.",
        evidence={
            "num_non_finite_inputs": inputs.num_non_finite,
            "num_non_finite_targets": targets.num_non_finite,
            "first": first,
            "num_looked_at": inputs.num_looked_at,
        },
        causes=CAUSES,
        action=f"Look at sample {first}; drop or impute such samples in data().",
        source=SOURCE,
    )


@rule("non_finite_data", Precedence.DATA)
def non_finite_data_elsewhere(evidence: InitialLossEvidence) -> Finding | None:
    """Any validation or test sample with a non-finite input or target, where training has none."""
    description = evidence.description
    bad = [each for each in description.splits if each.num_non_finite]
    if description.inputs.num_non_finite or description.targets.num_non_finite or not bad:
        return None
    split = bad[0]
    count, name = split.num_non_finite, split.adjective
    return Finding(
        code="non_finite_data",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"{plural(count, f'{name} sample')} {_hold(count)} inputs or targets, while no "
        f"training sample that was looked at does: the {name} loss becomes NaN.",
        evidence={"split": split.name, "num_non_finite": count},
        causes=CAUSES,
        action=f"Look for NaN and infinity among the {name} samples; drop or impute such samples "
        "in data(), in every split alike.",
        source=SOURCE,
    )


def _hold(count: int) -> str:
    return "holds NaN or infinity in its" if count == 1 else "hold NaN or infinity in their"
