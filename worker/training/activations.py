"""Watching the outputs of a model's layers, functional activations among them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from recipes.outcome import LayerStatistics
from worker.training.internals import SATURATION

FUNCTIONAL: dict[Callable[..., Any], str] = {
    **dict.fromkeys((F.relu, F.relu_, torch.relu, torch.relu_), "relu"),
    **dict.fromkeys((Tensor.relu, Tensor.relu_), "relu"),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid), "sigmoid"),
    **dict.fromkeys((F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_), "tanh"),
    **dict.fromkeys((F.gelu,), "gelu"),
    **dict.fromkeys((F.silu,), "silu"),
    **dict.fromkeys((F.leaky_relu, F.leaky_relu_), "leaky_relu"),
}
"""Activations called as functions, which no module hook sees."""
SATURATING = ("Sigmoid", "Tanh", "sigmoid", "tanh")
RELUS = ("ReLU", "ReLU6", "relu")
CHANNELS_FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)


@dataclass(slots=True)
class UnitSums:
    """Which of one layer's units have stopped to respond, summed up over batches.

    ``dead`` says of each unit whether it was 0 for every sample so far: a channel after
    a convolution, else an element of the last dimension.
    """

    name: str
    kind: str
    n: int = 0
    num_saturated: int = 0
    dead: Tensor | None = None

    def add(self, output: Tensor, *, unit_dim: int, source: Tensor | None) -> None:
        """Take one batch's outputs (N, ...) in; ``source`` is what went into the layer."""
        self.n += output.numel()
        if self.kind in SATURATING and source is not None:
            self.num_saturated += int((source.abs() > SATURATION).sum())
        if output.ndim >= 2:
            dead = (output == 0).movedim(unit_dim, 0).flatten(1).all(1)
            self.dead = dead if self.dead is None else self.dead & dead

    @property
    def dead_share(self) -> float:
        """Share of units that are 0 for every sample."""
        return 0.0 if self.dead is None else float(self.dead.double().mean())

    @property
    def saturated_share(self) -> float:
        """Share of a sigmoid's or tanh's inputs beyond +-SATURATION; 0 for other kinds."""
        return self.num_saturated / self.n if self.n else 0.0


@dataclass(slots=True)
class LayerSums(UnitSums):
    """All that is told of one layer's outputs, summed up over batches, in float64."""

    total: float = 0.0
    total_squares: float = 0.0
    num_zero: int = 0
    first: Tensor | None = None
    variation: float = 0.0

    def add(self, output: Tensor, *, unit_dim: int, source: Tensor | None) -> None:
        """Take one batch's outputs (N, ...) in; ``source`` is what went into the layer."""
        UnitSums.add(self, output, unit_dim=unit_dim, source=source)
        values = output.double()
        self.total += float(values.sum())
        self.total_squares += float(values.square().sum())
        self.num_zero += int((output == 0).sum())
        if self.first is None:
            self.first = output[:1].clone()
        if output.shape[1:] == self.first.shape[1:]:  # sequences may differ in length
            self.variation = max(self.variation, float((output - self.first).abs().max()))

    def statistics(self) -> LayerStatistics:
        """The sums as the outcome has them."""
        mean = self.total / self.n
        variance = max(self.total_squares / self.n - mean * mean, 0.0)
        return LayerStatistics(
            name=self.name,
            kind=self.kind,
            mean=mean,
            sd=variance**0.5,
            zero_share=self.num_zero / self.n,
            dead_share=self.dead_share,
            saturated_share=self.saturated_share if self.kind in SATURATING else None,
            variation=self.variation,
        )


Sums = TypeVar("Sums", bound=UnitSums)


@dataclass
class ActivationWatch(Generic[Sums]):
    """Sums by layer, in the order of the first forward.

    A layer that runs twice in a forward is told apart: ``act``, ``act#2``; functional
    activations are counted by name: ``relu_1``, ``relu_2``.

    Attributes:
        sums: Makes a layer's, of its name and kind.
        kinds: Of layers to sum up; None: of all.
    """

    sums: Callable[[str, str], Sums]
    kinds: Collection[str] | None = None
    layers: dict[str, Sums] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _channels_first: bool = False

    def begin_batch(self) -> None:
        """Call before each forward: the calls are counted anew."""
        self._counts.clear()
        self._channels_first = False

    def see_module(self, name: str, module: nn.Module, source: Any, output: Any) -> None:
        """A leaf module has run."""
        if isinstance(module, CHANNELS_FIRST):
            self._channels_first = True
        elif isinstance(module, (nn.Linear, nn.LayerNorm, nn.Embedding, nn.RNNBase)):
            self._channels_first = False
        count = self._count(name)
        self._add(name if count == 1 else f"{name}#{count}", type(module).__name__, source, output)

    def see_function(self, kind: str, source: Any, output: Any) -> None:
        """An activation function was called outside torch's own leaf modules."""
        self._add(f"{kind}_{self._count(kind + '()')}", kind, source, output)

    def _count(self, key: str) -> int:
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._counts[key]

    def _add(self, name: str, kind: str, source: Any, output: Any) -> None:
        if self.kinds is not None and kind not in self.kinds:
            return
        tensor = _first_tensor(output)
        if tensor is None or not tensor.is_floating_point() or tensor.numel() == 0:
            return
        layer = self.layers.setdefault(name, self.sums(name, kind))
        layer.add(
            tensor.detach(),
            unit_dim=1 if self._channels_first else -1,
            source=source.detach() if isinstance(source, Tensor) else None,
        )


def watch_activations(
    model: nn.Module,
) -> AbstractContextManager[ActivationWatch[LayerSums]]:
    """Watch every leaf module and every functional activation of a model's forwards."""
    return _watched(model, ActivationWatch(LayerSums))


def watch_units(model: nn.Module) -> AbstractContextManager[ActivationWatch[UnitSums]]:
    """Watch the activations alone, and of them whether their units respond: much cheaper."""
    return _watched(model, ActivationWatch(UnitSums, kinds=(*RELUS, *SATURATING)))


@contextmanager
def _watched(model: nn.Module, watch: ActivationWatch[Sums]) -> Iterator[ActivationWatch[Sums]]:
    mode = _FunctionalMode(watch)
    handles = []
    for name, module in model.named_modules():
        if next(module.children(), None) is not None:
            continue

        def before(module: nn.Module, _: Any) -> None:
            mode.enter_leaf(module)

        def after(module: nn.Module, inputs: Any, output: Any, *, name: str = name) -> None:
            mode.leave_leaf(module)
            source = inputs[0] if inputs else None
            watch.see_module(name or "model", module, source, output)

        handles.append(module.register_forward_pre_hook(before))
        handles.append(module.register_forward_hook(after))
    try:
        with mode:
            yield watch
    finally:
        for handle in handles:
            handle.remove()


class _FunctionalMode(TorchFunctionMode):
    """Sees torch functions called; those inside torch's own leaf modules are passed over."""

    def __init__(self, watch: ActivationWatch[Any]) -> None:
        super().__init__()
        self._watch = watch
        self._depth = 0

    def enter_leaf(self, module: nn.Module) -> None:
        self._depth += _is_torchs(module)

    def leave_leaf(self, module: nn.Module) -> None:
        self._depth -= _is_torchs(module)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = None if self._depth else FUNCTIONAL.get(func)
        # In-place activations overwrite their input, so look at it before.
        source = args[0].detach().clone() if kind in SATURATING and args else None
        output = func(*args, **(kwargs or {}))
        if kind is not None:
            self._watch.see_function(kind, source, output)
        return output


def _is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.")


def _first_tensor(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, (tuple, list)) and output:
        return _first_tensor(output[0])
    return None
