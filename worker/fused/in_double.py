"""A comparison in float64 of models that name another type in their forward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CASTS = (Tensor.float, Tensor.half, Tensor.bfloat16)
TO = (Tensor.to, Tensor.type)
FLOATS = (torch.float32, torch.float16, torch.bfloat16)


class InDouble(TorchFunctionMode):
    """Within it a cast to a floating type is one to float64, and what meets a float64 tensor
    becomes one: ``x.float() / 255`` or a loss with weights of the classes would else be of
    another type than a model that was made double."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Torch's own operations call this."""
        named = dict(kwargs or {})
        if func in CASTS:
            return args[0].double()
        if func in TO:
            args = tuple(_double(each) for each in args)
            named = {name: _double(each) for name, each in named.items()}
        if not getattr(func, "__name__", "").endswith("_"):  # what works in place keeps its own
            tensors = [each for each in (*args, *named.values()) if isinstance(each, Tensor)]
            if any(each.dtype is torch.float64 for each in tensors):
                args = tuple(_promoted(each) for each in args)
                named = {name: _promoted(each) for name, each in named.items()}
        return func(*args, **named)


def _promoted(argument: Any) -> Any:
    is_single = isinstance(argument, Tensor) and argument.dtype is torch.float32
    return argument.double() if is_single else argument


def _double(argument: Any) -> Any:
    return torch.float64 if isinstance(argument, torch.dtype) and argument in FLOATS else argument
