"""Steps 4 and 5: the best learning rate lies right below those that diverge."""

from __future__ import annotations

from recipes.evidence.search import SearchEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.search.edges import TOLD_APART
from recipes.search.scoring import paired_standard_error, score
from recipes.words import number, plural, rate

BESIDE = 3.0
"""Factor between the best rate and the lowest that diverges (row 45)."""

LEAST_DIVERGED = 2
"""Diverged trials above the best: one alone may have another reason (ours)."""

SOURCE = "Deep Learning Tuning Playbook, training instability; notes on diagnosis, row 45"


@rule("best_lr_at_stability_edge", Precedence.SEARCH)
def best_lr_at_stability_edge(evidence: SearchEvidence) -> Finding | None:
    """Every trial above some rate diverges, and the best lies within a factor of three of it.

    A warning where no trial further down can be told apart from the best; else information.
    """
    best = evidence.best
    if best is None or "lr" not in best.trial.params:
        return None
    best_lr = float(best.trial.params["lr"])
    trained = [float(each.trial.params["lr"]) for each in evidence.ranked]
    above = [lr for each in evidence.diverged if (lr := float(each.params["lr"])) > max(trained)]
    if len(above) < LEAST_DIVERGED or BESIDE * best_lr < min(above):
        return None
    edge = min(above)
    is_clear = not _lower_is_as_good(evidence, best_lr / BESIDE)
    return Finding(
        code="best_lr_at_stability_edge",
        severity=Severity.WARNING if is_clear else Severity.INFO,
        confidence=0.8 if is_clear else 0.5,
        sentence=f"The best learning rate, {rate(best_lr)}, lies a factor of "
        f"{number(edge / best_lr, 2)} below {rate(edge)}, from which on all of "
        f"{plural(len(above), 'trial')} diverged (a factor of {number(BESIDE)} counts): "
        "stability, not the data, may be what limits the rate.",
        evidence={
            "lr": best_lr,
            "lowest_diverged_lr": edge,
            "factor": edge / best_lr,
            "num_diverged": len(above),
            "threshold": BESIDE,
        },
        causes=(
            Cause(
                code="unstable_start",
                sentence="The first iterations do not stand a rate that later ones would.",
                confidence=0.6,
            ),
            Cause(
                code="large_gradients",
                sentence="Single large gradients throw the weights away.",
                confidence=0.4,
            ),
            Cause(
                code="chance",
                sentence="The best rate happens to be a high one.",
                confidence=0.2 if is_clear else 0.5,
            ),
        ),
        action="Warm up over the first 5 % of the iterations (warmup=0.05), clip the gradient at "
        f"the 90th percentile of its norm, and search up to {rate(10 * edge)} so. Cheapest "
        f"experiment: one trial at {rate(5 * best_lr)} with a warm-up.",
        changes=(Adjustment(name="warmup", value=0.05),),
        source=SOURCE,
    )


def _lower_is_as_good(evidence: SearchEvidence, below: float) -> bool:
    """Whether a trial at a rate below ``below`` cannot be told apart from the best."""
    first = evidence.ranked[0]
    for each in evidence.ranked[1:]:
        if float(each.trial.params["lr"]) > below:
            continue
        best = score(first.trial, evidence.description, up_to=each.epochs)
        if best is None:
            continue
        noise = paired_standard_error(
            best.evaluation, each.evaluation, evidence.description.metric
        )
        if best.score - each.score <= TOLD_APART * noise:
            return True
    return False
