"""Steps 4 and 5: a hyperparameter that does not matter here."""

from __future__ import annotations

from recipes.evidence.search import SearchEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.search.relevance import LEAST_P_VALUE, LEAST_SHARE, Sensitivity
from recipes.step import StepKind
from recipes.words import listing, number, percent

SOURCE = "PED-ANOVA (Watanabe et al. 2023) and Spearman's rank correlation; diagnosis, row 47"


@rule("insensitive_hyperparameter", Precedence.SEARCH)
def insensitive_hyperparameter(evidence: SearchEvidence) -> Finding | None:
    """Neither importance nor rank correlation shows an effect, with twenty trials or more."""
    idle = [
        each for each in evidence.relevance.values() if each.sensitivity is Sensitivity.INSENSITIVE
    ]
    if not idle or evidence.best is None:
        return None
    described = [
        f"{each.name} ({percent(each.share)} of the importance, p = {number(each.p_value, 2)})"
        for each in idle
    ]
    verb = "does" if len(idle) == 1 else "do"
    consequence = f"{'it is' if len(idle) == 1 else 'they are'} fixed at the best trial's value"
    if evidence.kind is StepKind.FINE_SEARCH:  # which fixes nothing: it is the last search
        consequence = f"any of {'its' if len(idle) == 1 else 'their'} values does as well"
    best = evidence.best.trial
    values = listing([f"{each.name} = {_text(best.params[each.name])}" for each in idle])
    return Finding(
        code="insensitive_hyperparameter",
        severity=Severity.INFO,
        confidence=0.7,
        sentence=f"{listing(described)} {verb} not matter within the range searched, over "
        f"{idle[0].num_trials} trials; {consequence}.",
        evidence={
            "names": ", ".join(each.name for each in idle),
            "largest_share": max(each.share for each in idle),
            "smallest_p_value": min(each.p_value for each in idle),
            "num_trials": idle[0].num_trials,
            "threshold_share": LEAST_SHARE,
            "threshold_p_value": LEAST_P_VALUE,
        },
        causes=(
            Cause(
                code="no_effect",
                sentence="It makes no difference over this range.",
                confidence=0.7,
            ),
            Cause(
                code="too_short",
                sentence="Its effect shows only in longer runs, as regularisation's does.",
                confidence=0.4,
            ),
        ),
        action=f"Fix {values} and spend the trials on the others.",
        source=SOURCE,
    )


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
