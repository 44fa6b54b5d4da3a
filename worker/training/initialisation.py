"""Initial weights: the module's own, or drawn again by a named rule."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

SMALL_SD = 0.01
"""CS231n's "small random numbers" (cs231n.github.io/neural-networks-2)."""


def _small_normal(weight: Tensor) -> None:
    nn.init.normal_(weight, std=SMALL_SD)


def _kaiming(weight: Tensor) -> None:
    """He et al. 2015: normal with variance 2 / fan_in, made for ReLUs."""
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _xavier(weight: Tensor) -> None:
    """Glorot & Bengio 2010: uniform with variance 2 / (fan_in + fan_out)."""
    nn.init.xavier_uniform_(weight)


INITIALISATIONS: dict[str, Callable[[Tensor], None] | None] = {
    "default": None,
    "kaiming": _kaiming,
    "xavier": _xavier,
    "small_normal": _small_normal,
}
"""What ``init`` may name. None leaves the weights as the module drew them."""


def initialise(model: nn.Module, init: str) -> None:
    """Draw the weights of linear and convolution layers again, biases to zero, in place.

    Norms, embeddings, recurrent layers and bare parameters keep what their module chose.

    Args:
        init: A key of ``INITIALISATIONS``.
    """
    draw = INITIALISATIONS[init]
    if draw is None:
        return
    for module in model.modules():
        if not isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
            continue
        draw(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
