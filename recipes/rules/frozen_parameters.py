"""Parameters that training does not change."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.inputs_not_normalised import are_inputs_constant
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, percent

SOURCE = "notes on diagnosis, row 40 (SageMaker Debugger's UnchangedTensor, TheDeepChecker)"

WHY = (
    (
        "requires_grad_off",
        "requires_grad is off",
        "If you are not fine-tuning, call requires_grad_(True) on these parameters.",
    ),
    (
        "detached",
        "the forward pass detaches them, or does not use them",
        "Take detach() and no_grad() out of forward(), or the unused layers out of the model.",
    ),
    (
        "unregistered",
        "they are not among model.parameters(), so no optimiser sees them",
        "Keep layers in nn.ModuleList or nn.ModuleDict and tensors in nn.Parameter.",
    ),
)
"""Code, reason and cure of each way not to train, in the order they are looked for."""

DEAD_SHARE = 0.5
"""With most units dead, gradients of zero are the dead layer's doing, not a fault of their own."""


@rule("frozen_parameters", Precedence.INTERNALS_AT_START)
def frozen_parameters(evidence: InitialLossEvidence) -> Finding | None:
    """A parameter with requires_grad off, that no gradient reaches, or no optimiser sees.

    Unreached parameters are not counted where something else explains them: outputs that
    do not depend on the input, a layer of dead units, or inputs that are all alike.
    """
    parameters = evidence.description.parameters
    explained = evidence.ignores_input or evidence.dead_share[1] > DEAD_SHARE
    off = [each for each in parameters if not each.trainable]
    unreached = [each for each in parameters if each.trainable and not each.reached]
    explained = explained or are_inputs_constant(evidence.description)
    if evidence.description.outputs is None or explained:
        unreached = []
    strays = [each for each in parameters if not each.registered]
    frozen = [*off, *unreached, *strays]
    if not frozen:
        return None
    sizes = {each.name: _size(each.shape) for each in parameters}
    share = sum(sizes[each.name] for each in frozen) / max(1, sum(sizes.values()))
    whys = [why for why, found in zip(WHY, (off, unreached, strays), strict=True) if found]
    reason = whys[0]
    return Finding(
        code="frozen_parameters",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence=f"{percent(share)} of the parameters will not train "
        f"({listing([each.name for each in frozen])}): {reason[1]}. Intended when fine-tuning; "
        "otherwise the model learns with what is left.",
        evidence={
            "num_frozen": len(frozen),
            "num_requires_grad_off": len(off),
            "num_unreached": len(unreached),
            "num_unregistered": len(strays),
            "share": share,
        },
        causes=tuple(
            Cause(code=code, sentence=f"Of some, {why}.", confidence=0.9) for code, why, _ in whys
        ),
        action=reason[2],
        source=SOURCE,
    )


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
