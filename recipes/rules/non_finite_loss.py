"""A loss that is NaN or infinite whatever the learning rate."""

from __future__ import annotations

import math

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trial import TrialCause
from recipes.words import plural, rate

LOWEST_SENSIBLE_LR = 1e-6
"""NaN at rates this low is not the rate's doing."""

UNDEFINED = "The model or loss takes log(0), 0/0 or the root of a negative number."
LOOK = "Look for log, sqrt and division in model and loss; add a small epsilon inside."
"""The likeliest cause, and what to do of it, whenever it is met first."""

SOURCE = "notes on diagnosis, row 13"


@rule("non_finite_loss", Precedence.NON_FINITE)
def non_finite_before_training(evidence: InitialLossEvidence) -> Finding | None:
    """The loss of an untrained model is NaN or infinite.

    One initialisation of five is enough: one run in five would begin so.
    """
    bad = [loss for loss in evidence.losses if not math.isfinite(loss)]
    if not bad:
        return None
    total = len(evidence.losses)
    every = len(bad) == total
    operation = Cause(
        code="undefined_operation",
        sentence=UNDEFINED,
        confidence=0.7 if every else 0.4,
    )
    weights = Cause(
        code="bad_initialisation",
        sentence="Initial weights are so large that the outputs overflow.",
        confidence=0.2 if every else 0.6,
    )
    return Finding(
        code="non_finite_loss",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=f"The loss of the untrained model is NaN or infinite in {len(bad)} of "
        f"{plural(total, 'initialisation')}: there is nothing to train from.",
        evidence={"num_non_finite": len(bad), "num_initialisations": total},
        causes=(operation, weights) if every else (weights, operation),
        action=LOOK
        if every
        else "Draw the initial weights smaller; then look for log, sqrt and division in model and "
        "loss.",
        source=SOURCE,
    )


@rule("non_finite_loss", Precedence.NON_FINITE)
def non_finite_on_sample(evidence: OverfitEvidence) -> Finding | None:
    """Every learning rate ends in NaN or infinity."""
    gone = [run for run in evidence.runs if run.cause is TrialCause.NON_FINITE]
    if not gone or len(gone) < len(evidence.runs):
        return None
    first = min(run.iterations for run in gone)
    return Finding(
        code="non_finite_loss",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=f"The loss becomes NaN or infinite at every learning rate down to "
        f"{rate(min(run.lr for run in gone))}, first after {plural(first, 'iteration')}: lower "
        "rates will not cure that.",
        evidence={"lowest_lr": min(run.lr for run in gone), "first_iteration": first},
        causes=(
            Cause(
                code="undefined_operation",
                sentence=UNDEFINED,
                confidence=0.6,
            ),
            Cause(
                code="bad_initialisation",
                sentence="Initial weights are so large that the first update overflows.",
                confidence=0.3,
            ),
        ),
        action=LOOK,
        source=SOURCE,
    )


@rule("non_finite_loss", Precedence.NON_FINITE)
def non_finite_on_training_data(evidence: LrFinderEvidence) -> Finding | None:
    """NaN at every rate, however low."""
    if not evidence.rates or not all(each.non_finite for each in evidence.rates):
        return None
    if evidence.rates[0].lr > LOWEST_SENSIBLE_LR:
        return None
    return Finding(
        code="non_finite_loss",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence="The loss becomes NaN or infinite on the full training data at every learning "
        f"rate down to {rate(evidence.rates[0].lr)}: that is not the rate's doing.",
        evidence={"lowest_lr": evidence.rates[0].lr},
        causes=(
            Cause(
                code="undefined_operation",
                sentence="Some sample makes model or loss take log(0), 0/0 or overflow.",
                confidence=0.7,
            ),
        ),
        action="Find the first sample with a non-finite loss and look at it.",
        source=SOURCE,
    )
