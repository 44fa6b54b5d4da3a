"""A model's form: everything about it but the values that members may differ in.

Models of equal form run the same operations on tensors of the same shapes. They may differ
in their tensors' values and in the rates of their dropout modules, and in nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

import torch
from torch import Tensor, nn

from worker.fused.refusal import NotFusable

OF_TORCH = frozenset(vars(nn.Module())) - {"training"}
"""Where a module keeps its tensors, children and hooks: looked at apart."""
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
"""What else runs when a module does."""
RATE = "p"
"""A dropout module's rate, which members may differ in."""
OF_CLASSES = frozenset({"__dict__", "__weakref__", "__doc__", "__module__", "__classcell__"})
"""What a class holds beside what was written in it."""
PLAIN_VALUES = (bool, int, float, complex, str, bytes, type(None))


def form_of(model: nn.Module) -> Hashable:
    """Equal for models that run the same operations on tensors of the same shapes.

    Looked at: the modules' classes and their code, every attribute with all that it holds,
    every parameter's and buffer's name, shape, type and whether it is trained, and which of
    them are tied. What cannot be looked into is refused, not guessed.

    Raises:
        NotFusable: Something in the model cannot be compared; it is named.
    """
    look = _Look({id(each): name for name, each in model.named_modules()})
    return (*_tensors(model), *(_module(name, each, look) for name, each in model.named_modules()))


def _tensors(model: nn.Module) -> Iterable[Hashable]:
    first: dict[int, str] = {}
    named = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    for name, tensor in named:
        tied_to = first.setdefault(id(tensor), name)
        yield name, tied_to, tuple(tensor.shape), str(tensor.dtype), tensor.requires_grad


def _module(name: str, module: nn.Module, look: _Look) -> Hashable:
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        raise NotFusable(f"{type(module).__name__} has no batching rule in torch")
    is_dropout = isinstance(module, nn.modules.dropout._DropoutNd)
    try:
        return (
            name,
            look.value(type(module)),
            tuple(
                (key, look.value(value))
                for key, value in sorted(vars(module).items())
                if key not in OF_TORCH and not (is_dropout and key == RATE)
            ),
            # Their keys count all hooks of the process.
            tuple(look.value(list(getattr(module, hooks).values())) for hooks in HOOKS),
        )
    except _Unknown as unknown:
        where = f"its module {name}" if name else f"a {type(module).__name__}"
        raise NotFusable(
            f"{where} holds {unknown}, which cannot be compared between trials"
        ) from unknown


class _Unknown(Exception):
    """Names a type."""


class _Look:
    """Looks into values; what it gives is equal for values that a forward cannot tell apart.

    Args:
        modules: The model's own by identity: those are looked at by themselves.
    """

    def __init__(self, modules: Mapping[int, str]) -> None:
        self._modules = modules
        self._within: list[int] = []

    def value(self, value: Any) -> Hashable:
        """Raises _Unknown."""
        if isinstance(value, PLAIN_VALUES) and type(value) in PLAIN_VALUES:
            return type(value).__name__, repr(value)  # NaN equals itself, 0.0 is not -0.0
        if id(value) in self._within:
            return "within itself", self._within.index(id(value))
        self._within.append(id(value))
        try:
            return self._looked_into(value)
        finally:
            self._within.pop()

    def _looked_into(self, value: Any) -> Hashable:
        if isinstance(value, Tensor):
            return _tensor(value)
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, (MethodType, BuiltinFunctionType)):
            owner = value.__self__
            own = None if isinstance(owner, (ModuleType, type(None))) else owner
            func = value.__func__ if isinstance(value, MethodType) else None
            return "method", value.__qualname__, self.value(func), self.value(own)
        if isinstance(value, (staticmethod, classmethod)):
            return type(value).__name__, self.value(value.__func__)
        if isinstance(value, property):
            return "property", self.value((value.fget, value.fset, value.fdel))
        if type(value) in (dict, MappingProxyType):
            return "dict", tuple(
                (self.value(key), self.value(each)) for key, each in value.items()
            )
        if type(value) in (list, tuple):
            return type(value).__name__, tuple(self.value(each) for each in value)
        if type(value) in (set, frozenset):
            return type(value).__name__, frozenset(self.value(each) for each in value)
        if isinstance(value, (torch.dtype, torch.device, ModuleType)):
            return type(value).__name__, str(value)
        return self._object(value)

    def _module(self, module: nn.Module) -> Hashable:
        """One that an attribute holds."""
        name = self._modules.get(id(module))
        if name is not None:
            return "module", name
        if any(True for _ in (*module.parameters(), *module.buffers())):
            raise _Unknown(f"a {type(module).__name__} with tensors that are not the model's own")
        return "module", tuple(_module(name, each, self) for name, each in module.named_modules())

    def _class(self, found: type) -> Hashable:
        """By its name where that finds it again, else by what it holds."""
        name = f"{found.__module__}.{found.__qualname__}"
        if "<locals>" not in name:
            return "class", name
        return (
            *("class", name),
            *(self.value(base) for base in found.__bases__),
            tuple(
                (key, self.value(value))
                for key, value in sorted(vars(found).items())
                if key not in OF_CLASSES
            ),
        )

    def _function(self, function: FunctionType) -> Hashable:
        code = function.__code__
        return (
            *("function", function.__qualname__, code.co_code, code.co_names),
            # Code within code is compared by its own; its repr has an address.
            *(
                each.co_code if isinstance(each, CodeType) else repr(each)
                for each in code.co_consts
            ),
            self.value(function.__defaults__),
            self.value(function.__kwdefaults__),
            self.value(vars(function)),
            tuple(self.value(_content(cell)) for cell in function.__closure__ or ()),
        )

    def _object(self, value: Any) -> Hashable:
        """By what a copy of it would be made from (pickle's protocol)."""
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise _Unknown(f"a {type(value).__name__}") from error
        if isinstance(reduced, str):
            return "named", type(value).__qualname__, reduced
        make, arguments, *rest = reduced
        return (
            *("object", f"{type(value).__module__}.{type(value).__qualname__}"),
            *(self.value(make), self.value(arguments)),
            *(self.value(each if each is None else _listed(each)) for each in rest),
        )


def _tensor(tensor: Tensor) -> Hashable:
    try:
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, TypeError) as error:  # sparse, quantised and the like
        raise _Unknown(f"a tensor of layout {tensor.layout} and type {tensor.dtype}") from error
    digest = hashlib.sha256(content.tobytes()).hexdigest()
    return "tensor", str(tensor.dtype), tuple(tensor.shape), digest


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _listed(state: Any) -> Any:
    """A copy's state as a value; its items come as iterators."""
    return list(state) if isinstance(state, Iterator) else state
