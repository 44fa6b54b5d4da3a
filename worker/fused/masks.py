"""Dropout for members: each its own rate, and the masks it would draw when trained alone.

Trained alone, a member's masks come from the global generator, seeded for its epoch. Here
every member has a generator of its own under that seed, and draws from it in the order of
the model's dropout calls: on the CPU the very same masks. (Elsewhere torch draws and
applies a mask in one kernel with a stream of its own: there masks are as random, reproducible,
and others.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from worker.fused.alignment import aligned_linear
from worker.fused.refusal import NotFusable
from worker.training.seeding import mask_seed

CHANNELS = {F.dropout1d: 3, F.dropout2d: 4, F.dropout3d: 5}
"""Dropout of whole channels, and the dimensions of the batches it is known for."""
UNKNOWN = (F.alpha_dropout, F.feature_alpha_dropout)
DROPOUTS = (F.dropout, *CHANNELS, *UNKNOWN)


READS = (
    *("__bool__", "__float__", "__int__", "__neg__", "__abs__", "__lt__", "__le__", "__gt__"),
    *("__ge__", "__eq__", "__ne__", "__add__", "__radd__", "__sub__", "__rsub__", "__mul__"),
    *("__rmul__", "__truediv__", "__rtruediv__", "__pow__", "__rpow__"),
)
"""What a forward reads a number with."""


class Rates(float):
    """A dropout module's rate that stands for one of each member.

    A forward hands it on to the function it calls, where it is recognised; one that reckons
    with it, or asks whether it is 0, would go by the first member's.
    """

    of_members: tuple[float, ...]
    is_guarded: ClassVar[bool] = False

    @classmethod
    def of(cls, rates: Sequence[float]) -> Rates:
        """Of K members."""
        made = cls(rates[0])
        made.of_members = tuple(float(rate) for rate in rates)
        return made


def _guarded(name: str) -> Callable[..., Any]:
    def read(self: Rates, *others: object) -> Any:
        if Rates.is_guarded:
            raise NotFusable("its forward reads the rate of a dropout, in which trials may differ")
        return getattr(float, name)(self, *others)

    return read


for _name in READS:
    setattr(Rates, _name, _guarded(_name))


@contextmanager
def guarded_rates() -> Iterator[None]:
    """While it lasts a forward may hand rates on, and not read them."""
    before, Rates.is_guarded = Rates.is_guarded, True
    try:
        yield
    finally:
        Rates.is_guarded = before


class MemberMasks(TorchFunctionMode):
    """Draws the members' masks, of known layers and inside a forward that is mapped over members.

    There it stands between the forward and torch, and has linear layers aligned as well.

    Args:
        device: Where masks are drawn.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._generators: list[torch.Generator] = []
        self._member: Tensor | None = None

    def seed(self, seeds: Sequence[int], *, epoch: int) -> None:
        """At the start of an epoch: the members' seeds, in the order of their rows."""
        self._generators = [
            torch.Generator(self._device).manual_seed(mask_seed(seed, epoch=epoch))
            for seed in seeds
        ]

    def keep(self, rows: Sequence[int]) -> None:
        """Cut to the members of these rows."""
        self._generators = [self._generators[row] for row in rows]

    def within(self, member: Tensor) -> MemberMasks:
        """For a forward of one member, ``member`` being its mapped row number ()."""
        self._member = member
        return self

    def of_rate(self, rate: float, shape: Sequence[int], *, like: Tensor) -> Tensor | None:
        """The masks of dropout that is called as a function, (K, ...); None for a rate of 0."""
        if isinstance(rate, Rates):
            raise NotFusable("dropout is called as a function with a module's rate")
        rates = (float(rate),) * len(self._generators)
        return _drawn(rates, shape, self._generators, like=like) if rate else None

    def of_module(
        self, module: nn.modules.dropout._DropoutNd, shape: Sequence[int], *, like: Tensor
    ) -> Tensor | None:
        """A dropout module's masks, (K, ...) to multiply with; None where all rates are 0.

        Args:
            module: With its members' rates.
            shape: Of what one member puts in.
            like: Says type and device.
        """
        assert isinstance(module.p, Rates)
        if not any(module.p.of_members):
            return None
        if isinstance(module, nn.Dropout):
            return _drawn(module.p.of_members, shape, self._generators, like=like)
        function = F.dropout1d if isinstance(module, nn.Dropout1d) else F.dropout2d
        return _drawn(
            module.p.of_members, _of_channels(function, shape), self._generators, like=like
        )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in DROPOUTS:
            return self._dropout(func, *args, **kwargs)
        if func is F.linear:
            return _linear(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(
        self,
        func: Callable[..., Tensor],
        input: Tensor,
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Tensor:
        has_own_rates = isinstance(p, Rates)
        rates = p.of_members if isinstance(p, Rates) else (float(p),) * len(self._generators)
        # With rates of 0 alone it is multiplied with ones all the same: what follows would take
        # another way with an input that is still the same for all.
        if not training or not (has_own_rates or any(rates)):
            return input
        if func in UNKNOWN:
            raise NotFusable(f"{func.__name__} is not known to the fused trainer")
        shape: Sequence[int] | None = None
        if not any(rates):
            shape = (1,) * input.ndim
        elif func in CHANNELS:
            shape = _of_channels(func, input.shape)
        mask: Tensor = _Mask.apply(  # type: ignore[no-untyped-call]
            input.detach(), self._member, rates, shape, self._generators
        )
        return input.mul_(mask) if inplace else input * mask


class _Mask(torch.autograd.Function):
    """(input, row) -> what the input is multiplied by, of one member: drawn for all at once."""

    generate_vmap_rule = False

    @staticmethod
    def forward(*_: Any) -> Tensor:
        raise NotFusable("dropout was called outside the members' forward")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Any,
        input: Tensor,
        member: Tensor,
        rates: Sequence[float],
        shape: Sequence[int] | None,
        generators: Sequence[torch.Generator],
    ) -> tuple[Tensor, int]:
        of_one = input if in_dims[0] is None else input.select(in_dims[0], 0)
        if shape is not None:
            return _drawn(rates, shape, generators, like=input), 0
        strides = torch.empty_like(of_one).stride()
        return _drawn(rates, of_one.shape, generators, like=input, strides=strides), 0


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    num_samples = math.prod(input.shape[:-1])
    return aligned_linear(F.linear, input, weight, bias, num_samples=num_samples)


def _of_channels(function: Callable[..., Tensor], shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a mask of whole channels."""
    if len(shape) != CHANNELS[function]:
        raise NotFusable(
            f"{function.__name__} of {len(shape)} dimensions is not known to the fused trainer"
        )
    return (*shape[:2], *(1,) * (len(shape) - 2))


def _drawn(
    rates: Sequence[float],
    shape: Sequence[int],
    generators: Sequence[torch.Generator],
    *,
    like: Tensor,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """(K, *shape): each member's mask from its own generator.

    Torch draws a mask in the order in which its numbers lie in memory: ``strides`` says how one
    member's lie, without gaps; None: row by row.
    """
    if strides is None:
        masks = like.new_empty((len(generators), *shape))
    else:
        every = (math.prod(shape), *strides)
        masks = like.new_empty_strided((len(generators), *shape), every)
    for mask, rate, generator in zip(masks, rates, generators, strict=True):
        _draw(mask, rate, generator)
    return masks


def _draw(mask: Tensor, rate: float, generator: torch.Generator) -> None:
    """In place, as torch does: a mask of rate 0 draws nothing."""
    if rate == 0:
        mask.fill_(1.0)
    elif rate == 1:
        mask.zero_()
    else:
        mask.bernoulli_(1 - rate, generator=generator).div_(1 - rate)


def member_rates(models: Sequence[nn.Module]) -> dict[str, Rates]:
    """The dropout modules of models of equal form by name, with every member's rate."""
    modules = [_dropouts(model) for model in models]
    return {name: Rates.of([each[name].p for each in modules]) for name in modules[0]}


def put_rates(skeleton: nn.Module, rates: Mapping[str, Rates]) -> None:
    """Have a skeleton's dropout modules hand their members' rates on."""
    for name, module in _dropouts(skeleton).items():
        module.p = rates[name]


def keep_rates(skeleton: nn.Module, rows: Sequence[int]) -> None:
    """Cut a skeleton's rates to the members of these rows."""
    for module in _dropouts(skeleton).values():
        assert isinstance(module.p, Rates)
        module.p = Rates.of([module.p.of_members[row] for row in rows])


def _dropouts(model: nn.Module) -> dict[str, nn.modules.dropout._DropoutNd]:
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.dropout._DropoutNd)
    }
