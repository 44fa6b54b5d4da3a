"""Steps 4 and 5: too many trials diverge."""

from __future__ import annotations

from recipes.evidence.search import SearchEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import percent, plural, rate

MANY_SHARE = 0.5
"""Share of diverged trials that is too many (notes on diagnosis, row 46)."""

NEARLY_ALL_SHARE = 0.9
"""From here on a fault is likelier than a range (the same row)."""

SOURCE = "Tuning playbook, infeasible trials; notes on diagnosis, row 46"


@rule("many_diverged", Precedence.SEARCH)
def many_diverged(evidence: SearchEvidence) -> Finding | None:
    """More than half of the trials that could be trained diverged."""
    count = len(evidence.trials) - len(evidence.failed)
    diverged = len(evidence.diverged)
    if not count or diverged / count <= MANY_SHARE:
        return None
    share = diverged / count
    nearly_all = share > NEARLY_ALL_SHARE
    lowest = evidence.lowest_diverged_lr
    from_rate = f", from a learning rate of {rate(lowest)} on" if lowest is not None else ""
    return Finding(
        code="many_diverged",
        severity=Severity.ERROR if diverged == count else Severity.WARNING,
        confidence=0.9,
        sentence=f"{diverged} of {plural(count, 'trial')} ({percent(share)}) diverged{from_rate}: "
        "a non-finite loss, or more than three times the initial one. "
        + (
            "That nearly all do points to a fault rather than to a range."
            if nearly_all
            else "The search spends its trials where nothing trains."
        ),
        evidence={
            "num_diverged": diverged,
            "num_trials": count,
            "lowest_diverged_lr": lowest,
            "threshold_share": MANY_SHARE,
        },
        causes=(
            Cause(
                code="lr_range_too_high",
                sentence="The range of learning rates reaches too high.",
                confidence=0.4 if nearly_all else 0.8,
            ),
            Cause(
                code="bug",
                sentence="A fault of the loss or model that only shows on all data.",
                confidence=0.5 if nearly_all else 0.1,
            ),
        ),
        action="Go back to step 1 and read its findings; then lower the top of lr by a decade."
        if nearly_all
        else "Lower the top of the range of lr by a decade.",
        source=SOURCE,
    )
