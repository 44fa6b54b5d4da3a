"""A network whose outputs do not depend on its input, before training or after."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.evidence.overfit_sample import TAIL_ITERATIONS, OverfitEvidence
from recipes.expectation import are_targets_constant
from recipes.features import median_of_last
from recipes.finding import Cause, Finding, Severity
from recipes.rules.dead_relu import FAIL_SHARE
from recipes.rules.inputs_not_normalised import are_inputs_constant
from recipes.rules.registry import Precedence, rule
from recipes.words import number

P_VALUE = 0.05
"""Above it, real inputs were not shown to do better than zeroed ones (Mann-Whitney; row 11)."""

NO_SIGNAL = frozenset({"activation_scale_drift", "vanishing_gradient", "dead_relu"})
"""Findings of step 1 that explain why nothing of the input arrives."""

NO_USE = frozenset(
    {
        "inputs_not_normalised",
        "penalty_in_loss",
        "saturated_activation",
        "wrong_output_activation",
    }
)
"""Those that explain why inputs are of no use in training, though they arrive: a penalty outweighs
what they help with, say."""

CAUSES = (
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
)
ACTION = "Follow one sample from data() through forward(): print what reaches each layer."

SOURCE = "TheDeepChecker's zeroed-input check; Karpathy's input-independent baseline; row 11"


@rule("ignores_input", Precedence.PROBE)
def ignores_input_at_start(evidence: InitialLossEvidence) -> Finding | None:
    """No output changes with the input, and no gradient reaches the first weights.

    An output layer that starts at zero has outputs of one value too: there the gradient
    arrives as soon as it is not zero any more (``describe`` looks again so). Silent where
    dead units are the reason.
    """
    matrices = [each for each in evidence.description.parameters if len(each.shape) >= 2]
    if not evidence.ignores_input or not matrices or matrices[0].reached:
        return None
    if not matrices[0].trainable or evidence.dead_share[1] > FAIL_SHARE:
        return None
    if are_inputs_constant(evidence.description):
        return None  # equal inputs have equal outputs
    return Finding(
        code="ignores_input",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence="The network ignores its input: before training every sample gets the same "
        f"outputs, and no gradient reaches {matrices[0].name}, the first weights.",
        evidence={"first_weights": matrices[0].name},
        causes=CAUSES,
        action=ACTION,
        source=SOURCE,
    )


@rule("ignores_input", Precedence.PROBE)
def ignores_input(evidence: OverfitEvidence) -> Finding | None:
    """The best setting does as well on inputs of zero as on the real ones.

    Silent where the loss never moved, or only rose: then nothing was learned that inputs
    could have helped with. Where the sample was memorised it is enough that zeros do not
    do as well in the end. Where they do, the sample says nothing: one class, say. Where
    step 1 found why nothing passes the layers, or why inputs are of no use, that is said.
    """
    best, zeroed = evidence.best, evidence.zeroed
    if best is None or zeroed is None or evidence.p_needs_input is None:
        return None
    if not best.has_moved or evidence.climbs is not None or evidence.passed:
        return None
    if (NO_SIGNAL | NO_USE).intersection(evidence.earlier):
        return None
    if are_inputs_constant(evidence.description) or are_targets_constant(evidence.description):
        return None  # no network could do better with such data
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
        causes=CAUSES,
        action=ACTION,
        source=SOURCE,
    )
