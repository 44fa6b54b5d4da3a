"""Switching regularisation off, as far as it can be seen from outside a model.

Seen: dropout modules, the dropout of attention and recurrent layers, and stochastic
depth by its class name. Not seen: dropout called as a function inside a forward; the
task's description shows that as two train-mode passes that differ. Batch norm stays on:
it is part of the architecture.
"""

from __future__ import annotations

from torch import nn

STOCHASTIC_DEPTH = ("StochasticDepth", "DropPath", "DropBlock2d", "DropBlock3d")
"""Class names of torchvision, timm and their copies; their rate is called one of RATES."""
RATES = ("p", "drop_prob")


def switch_off(model: nn.Module) -> tuple[str, ...]:
    """Set the known modules' rates to 0, in place.

    Returns:
        What was on and is off now, as ``name: Class(rate)``, in the model's order.
    """
    switched_off = []
    for name, module in model.named_modules():
        attribute = _rate_attribute(module)
        if attribute is None:
            continue
        rate = getattr(module, attribute)
        if isinstance(rate, (int, float)) and rate > 0:
            setattr(module, attribute, 0.0)
            switched_off.append(f"{name or 'model'}: {type(module).__name__}({rate:g})")
    return tuple(switched_off)


def _rate_attribute(module: nn.Module) -> str | None:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return "p"
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase)):
        return "dropout"
    if type(module).__name__ in STOCHASTIC_DEPTH:
        return next((rate for rate in RATES if hasattr(module, rate)), None)
    return None
