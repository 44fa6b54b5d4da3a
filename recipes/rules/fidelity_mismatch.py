"""Steps 4 and 5: what a trial is worth early says little of what it is worth in the end."""

from __future__ import annotations

import math
import statistics

import numpy as np

from recipes.evidence.search import SearchEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.search.scoring import score
from recipes.trend import Array
from recipes.words import number, plural

CORRELATION = 0.5
LEAST_TRIALS = 8
"""Spearman's rank correlation of early and final scores, and trials (row 49)."""

SPREAD_ERRORS = 2.0
"""Standard errors that the final scores must spread by (sd): ranks of equals are chance (ours)."""

ONE_SIDED_Z = 1.645
"""One-sided 5 %: a warning only where the correlation is under the threshold beyond it."""

SOURCE = (
    "Notes on diagnosis, row 49; interval by Fisher's z with Bonett & Wright's (2000) variance"
)


@rule("fidelity_mismatch", Precedence.SEARCH)
def fidelity_mismatch(evidence: SearchEvidence) -> Finding | None:
    """Rank correlation between the first rung and the end, over the trials that got there.

    These are the better half of each rung, which lowers any correlation: so it is
    information unless its upper bound lies under the threshold too. Where there is one rung
    alone nothing was judged early, and there is nothing to say.
    """
    early = evidence.rungs[0]
    finished = [each for each in evidence.ranked if each.epochs >= evidence.epochs]
    if early >= evidence.epochs or len(finished) < LEAST_TRIALS:
        return None
    found = [score(each.trial, evidence.description, up_to=early) for each in finished]
    pairs = [
        (first.score, last.score)
        for first, last in zip(found, finished, strict=True)
        if first is not None
    ]
    if len(pairs) < LEAST_TRIALS:
        return None
    firsts, lasts = np.asarray(pairs, dtype=np.float64).T
    error = statistics.median(each.standard_error for each in finished)
    if not float(np.std(lasts, ddof=1)) > SPREAD_ERRORS * error:
        return None
    correlation = _rank_correlation(firsts, lasts)
    if not correlation < CORRELATION:
        return None
    upper = _upper(correlation, len(pairs))
    is_sure = upper < CORRELATION
    return Finding(
        code="fidelity_mismatch",
        severity=Severity.WARNING if is_sure else Severity.INFO,
        confidence=0.85 if is_sure else 0.4,
        sentence=f"Early results mislead: over {plural(len(pairs), 'trial')} that ran to the end "
        f"the ranks after {plural(early, 'epoch')} and after {evidence.epochs} correlate by "
        f"{number(correlation, 2)} (at most {number(upper, 2)} with 95 % confidence; under "
        f"{number(CORRELATION)} counts), so ending trials early may have thrown good ones away.",
        evidence={
            "correlation": correlation,
            "upper_bound": upper,
            "num_trials": len(pairs),
            "early_epochs": early,
            "epochs": evidence.epochs,
            "threshold": CORRELATION,
        },
        causes=(
            Cause(
                code="curves_cross",
                sentence="Low rates and strong regularisation start slowly and end well.",
                confidence=0.6,
            ),
            Cause(
                code="selection",
                sentence="Only the better half went on, and these resemble each other.",
                confidence=0.2 if is_sure else 0.5,
            ),
        ),
        action=f"Longer short trials: {plural(2 * early, 'epoch')} before the first ones end, and "
        "half of them kept at each rung. Cheapest experiment: the best of those discarded trained "
        "to the end.",
        source=SOURCE,
    )


def _rank_correlation(firsts: Array, lasts: Array) -> float:
    """Spearman's; NaN where one side does not vary."""
    if np.ptp(firsts) == 0 or np.ptp(lasts) == 0:
        return math.nan
    from scipy.stats import spearmanr  # half a second of imports

    return float(spearmanr(firsts, lasts).statistic)


def _upper(correlation: float, count: int) -> float:
    """Upper one-sided 95 % bound."""
    clipped = max(min(correlation, 0.999), -0.999)
    error = math.sqrt((1 + clipped * clipped / 2) / (count - 3))
    return math.tanh(math.atanh(clipped) + ONE_SIDED_Z * error)
