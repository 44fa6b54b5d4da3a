"""Step 5: the best settings cannot be told apart."""

from __future__ import annotations

from recipes.evidence.finalists import FinalistsEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, number, plural

SOURCE = "Tuning playbook, repeat the best trials; notes on diagnosis, row 48"


@rule("within_noise", Precedence.SEARCH)
def within_noise(evidence: FinalistsEvidence) -> Finding | None:
    """Some finalist's mean lies within twice the standard error of its difference to the best."""
    tied = evidence.tied
    if not tied:
        return None
    best = evidence.best
    metric = evidence.description.metric
    names = listing([f"trial {each.trial} ({each.value:.4g})" for each in tied])
    return Finding(
        code="within_noise",
        severity=Severity.INFO,
        confidence=0.9,
        sentence=f"{plural(len(tied), 'other setting')} of {len(evidence.settings) - 1} cannot be "
        f"told apart from the best: {names} against {metric} {best.value:.4g} of trial "
        f"{best.trial}, over {plural(len(best.runs), 'seed')}; a difference would have to exceed "
        f"{number(evidence.largest_noise, 2)}.",
        evidence={
            "best_trial": best.trial,
            "best_value": best.value,
            "num_tied": len(tied),
            "num_settings": len(evidence.settings),
            "seed_sd": evidence.seed_sd,
            "threshold": evidence.largest_noise,
        },
        causes=(
            Cause(
                code="flat_optimum",
                sentence="They are equally good: the optimum is flat.",
                confidence=0.7,
            ),
            Cause(
                code="too_few_samples",
                sentence="More seeds or validation samples would separate them.",
                confidence=0.4,
            ),
        ),
        action="Take the one that is cheapest to train; more seeds would be needed to rank them.",
        source=SOURCE,
    )
