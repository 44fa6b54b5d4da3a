"""Parameters that training does not change."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, percent

SOURCE = "notes on diagnosis, row 40 (SageMaker Debugger's UnchangedTensor, TheDeepChecker)"

DEAD_SHARE = 0.5
"""With most units dead, gradients of zero are the dead layer's doing, not a fault of their own."""


@rule("frozen_parameters", Precedence.INTERNALS_AT_START)
def frozen_parameters(evidence: InitialLossEvidence) -> Finding | None:
    """A parameter with requires_grad off, or that no gradient reaches.

    Unreached parameters are not counted where something else explains them: outputs that
    do not depend on the input, or a layer of dead units.
    """
    parameters = evidence.description.parameters
    explained = evidence.ignores_input or evidence.dead_share[1] > DEAD_SHARE
    off = [each for each in parameters if not each.trainable]
    unreached = [each for each in parameters if each.trainable and not each.reached]
    if evidence.description.outputs is None or explained:
        unreached = []
    frozen = [*off, *unreached]
    if not frozen:
        return None
    sizes = {each.name: _size(each.shape) for each in parameters}
    share = sum(sizes[each.name] for each in frozen) / max(1, sum(sizes.values()))
    first, second = (
        ("requires_grad_off", "requires_grad is off"),
        ("detached", "the forward pass detaches them, or does not use them"),
    )
    if not off:
        first, second = second, first
    return Finding(
        code="frozen_parameters",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence=f"{percent(share)} of the parameters will not train "
        f"({listing([each.name for each in frozen])}): {first[1]}. Intended when fine-tuning; "
        "otherwise the model learns with what is left.",
        evidence={
            "num_frozen": len(frozen),
            "num_requires_grad_off": len(off),
            "num_unreached": len(unreached),
            "share": share,
        },
        causes=(
            Cause(code=first[0], sentence=f"For these, {first[1]}.", confidence=0.9),
            Cause(code=second[0], sentence=f"For these, {second[1]}.", confidence=0.1),
        ),
        action="If you are not fine-tuning, let these parameters train "
        "(requires_grad_(True), no detach(), no no_grad() in forward).",
        source=SOURCE,
    )


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
