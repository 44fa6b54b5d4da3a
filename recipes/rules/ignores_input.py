"""A network whose outputs do not depend on its input."""

from __future__ import annotations

from recipes.evidence.overfit_sample import TAIL_ITERATIONS, OverfitEvidence
from recipes.features import median_of_last
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number

P_VALUE = 0.05
"""Above it, real inputs were not shown to do better than zeroed ones (Mann-Whitney; row 11)."""

SOURCE = "TheDeepChecker's zeroed-input check; Karpathy's input-independent baseline; row 11"


@rule("ignores_input", Precedence.PROBE)
def ignores_input(evidence: OverfitEvidence) -> Finding | None:
    """The best setting does as well on inputs of zero as on the real ones."""
    best, zeroed = evidence.best, evidence.zeroed
    if best is None or zeroed is None or evidence.p_needs_input is None:
        return None
    if evidence.p_needs_input <= P_VALUE:
        return None
    real_loss = median_of_last(best.losses, TAIL_ITERATIONS)
    zero_loss = median_of_last(zeroed, TAIL_ITERATIONS)
    return Finding(
        code="ignores_input",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"The network ignores its input: with every input replaced by zeros it trains to "
        f"a loss of {number(zero_loss)}, with the real ones to {number(real_loss)} "
        f"(p = {number(evidence.p_needs_input, 2)} that real inputs are no better).",
        evidence={
            "loss_real": real_loss,
            "loss_zeroed": zero_loss,
            "p": evidence.p_needs_input,
            "threshold": P_VALUE,
        },
        causes=(
            Cause(
                code="input_unused",
                sentence="forward() does not use its argument, or multiplies it away.",
                confidence=0.7,
            ),
            Cause(
                code="data_path",
                sentence="data() gives every sample the same input.",
                confidence=0.2,
            ),
        ),
        action="Follow one sample from data() through forward(): print what reaches each layer.",
        source=SOURCE,
    )
