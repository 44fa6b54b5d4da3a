"""A model's forward as a list of known operations, run for K members without mapping.

Torch's tracer writes down what a forward calls; where it calls nothing but layers and
functions that are written for members, these run one after the other on plain tensors.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from worker.fused.layers import RULES, Tensors, flattened, layer, masked
from worker.fused.layout import Activation, Layout
from worker.fused.masks import MemberMasks, guarded_rates
from worker.fused.refusal import NotFusable
from worker.fused.stack import Stack

ARITHMETIC: frozenset[Any] = frozenset(
    {
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.iadd),
        *(torch.add, torch.sub, torch.mul, torch.div),
    }
)
FUNCTIONS: frozenset[Any] = frozenset(
    {
        *(F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.softplus, F.tanh, F.sigmoid),
        *(torch.relu, torch.tanh, torch.sigmoid, operator.neg, torch.exp, torch.abs),
    }
)
METHODS = frozenset({"relu", "tanh", "sigmoid", "abs", "exp"})
SHAPES = frozenset({"flatten", "size", "view", "reshape"})
POOLS: frozenset[Any] = frozenset(
    {F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.max_pool1d, F.avg_pool1d}
)
KNOWN = ARITHMETIC | FUNCTIONS | POOLS | {torch.flatten, F.dropout}


class Graph:
    """Runs a skeleton's forward for all members of its stack, in train mode.

    Args:
        stack: Their tensors; read at every call.
        masks: Draws their dropout.

    Raises:
        NotFusable: Something in the forward is not known here; it is named.
    """

    def __init__(self, stack: Stack, masks: MemberMasks) -> None:
        self._stack = stack
        self._masks = masks
        try:
            with guarded_rates(), _refused_autocast():
                traced = fx.symbolic_trace(stack.skeleton.train())
        except Exception as error:
            raise NotFusable(f"its forward cannot be traced: {error}") from error
        self._nodes = list(traced.graph.nodes)
        self._modules = dict(stack.skeleton.named_modules(remove_duplicate=False))
        self._names = {
            name: dict(stack.own_names(module)) for name, module in self._modules.items()
        }
        if sum(node.op == "placeholder" for node in self._nodes) != 1:
            raise NotFusable("its forward takes more than one argument")
        for node in self._nodes:
            _check(node, self._modules)

    def run(self, inputs: Tensor, *, is_shared: bool) -> Tensor:
        """Outputs (K, B, ...).

        Args:
            inputs: (B, ...), or (K, B, ...).
            is_shared: Which of the two.
        """
        num_members = self._stack.num_members
        layout = Layout.SHARED if is_shared else Layout.ROWS
        values: dict[fx.Node, Any] = {}
        for node in self._nodes:
            if node.op == "placeholder":
                values[node] = Activation(inputs, layout, num_members)
            elif node.op == "output":
                return _activation(values[node.args[0]]).rows()
            else:
                arguments = fx.map_arg(node.args, values.__getitem__)
                named = fx.map_arg(node.kwargs, values.__getitem__)
                values[node] = self._call(node, arguments, named)
        raise AssertionError("a graph ends in an output")

    def _call(self, node: fx.Node, arguments: Any, named: dict[str, Any]) -> Any:
        if node.op == "call_module":
            target = str(node.target)
            own = self._own(target)
            return layer(self._modules[target], _activation(arguments[0]), own, self._masks)
        if node.op == "call_method":
            return _method(str(node.target), arguments, named)
        if node.target is F.dropout:
            return self._dropout(*arguments, **named)
        return _function(node.target, arguments, named)

    def _dropout(
        self, x: Any, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Activation:
        known = _activation(x)
        rate = p if training else 0.0
        return masked(known, self._masks.of_rate(rate, known.shape, like=known.tensor))

    def _own(self, name: str) -> Tensors:
        both = (self._stack.parameters, self._stack.buffers)
        return {
            key: next(held[full] for held in both if full in held)
            for key, full in self._names[name].items()
        }


def known_graph(stack: Stack, masks: MemberMasks) -> Graph | None:
    """The graph of a skeleton; None where something in it is not known here."""
    try:
        return Graph(stack, masks)
    except NotFusable:
        return None


@contextmanager
def _refused_autocast() -> Iterator[None]:
    """The tracer does not write down that a forward enters autocast."""
    enter = torch.autocast.__enter__

    def refuse(self: torch.autocast) -> None:
        raise NotFusable("its forward enters autocast")

    torch.autocast.__enter__ = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autocast.__enter__ = enter  # type: ignore[method-assign]


def _check(node: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Refuse what is certainly not known before anything runs."""
    if node.op == "call_module" and type(modules[str(node.target)]) not in RULES:
        kind = type(modules[str(node.target)]).__name__
        raise NotFusable(f"{kind} has no hand-written form")
    if node.op == "get_attr":
        raise NotFusable(f"{node.target} is used by itself")
    if node.op == "call_method" and node.target not in (*METHODS, *SHAPES):
        raise NotFusable(f"Tensor.{node.target} has no hand-written form")
    if node.op == "call_function" and node.target not in KNOWN:
        name = getattr(node.target, "__name__", node.target)
        raise NotFusable(f"{name} has no hand-written form")


def _activation(value: Any) -> Activation:
    if not isinstance(value, Activation):
        raise NotFusable(f"a {type(value).__name__} stands where a tensor is known")
    return value


def _function(function: Any, arguments: Any, named: dict[str, Any]) -> Any:
    if function in ARITHMETIC:
        return _arithmetic(function, *arguments, **named)
    if function in FUNCTIONS:
        x = _activation(arguments[0])
        tensor = x.tensor.clone() if x.layout is Layout.SHARED else x.tensor
        return x.with_tensor(function(tensor, *arguments[1:], **named))
    if function in POOLS:
        x = _activation(arguments[0])
        if x.layout is Layout.SHARED:
            return x.with_tensor(function(x.tensor, *arguments[1:], **named))
        output = function(x.channels(), *arguments[1:], **named)
        return Activation(output, Layout.CHANNELS, x.num_members)
    if function is torch.flatten:
        return _flatten(*arguments, **named)
    raise AssertionError(f"{function} was checked before")


def _method(name: str, arguments: Any, named: dict[str, Any]) -> Any:
    x = _activation(arguments[0])
    if name in METHODS:
        return x.with_tensor(getattr(x.tensor, name)(*arguments[1:], **named))
    if name == "flatten":
        return _flatten(*arguments, **named)
    if name == "size":
        return x.shape[arguments[1]] if len(arguments) > 1 else x.shape
    if name in ("view", "reshape"):
        shape = arguments[1] if isinstance(arguments[1], tuple) else tuple(arguments[1:])
        if x.layout is Layout.SHARED:
            return x.with_tensor(x.tensor.reshape(shape))
        return Activation(x.rows().reshape(x.num_members, *shape), Layout.ROWS, x.num_members)
    raise AssertionError(f"{name} was checked before")


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Activation:
    if (start_dim, end_dim) != (1, -1):
        raise NotFusable("flatten over other dimensions has no hand-written form")
    return flattened(_activation(x))


def _arithmetic(function: Callable[..., Tensor], a: Any, b: Any) -> Activation:
    """Of two tensors of one shape, or of a tensor and a number."""
    if isinstance(a, Activation) and isinstance(b, Activation):
        if a.shape != b.shape:
            raise NotFusable("arithmetic on tensors of two shapes has no hand-written form")
        if a.layout is b.layout:
            return a.with_tensor(function(a.tensor, b.tensor))
        if Layout.CHANNELS in (a.layout, b.layout):
            output = function(a.channels(), b.channels())
            return Activation(output, Layout.CHANNELS, a.num_members)
        return Activation(function(a.rows(), b.rows()), Layout.ROWS, a.num_members)
    if isinstance(a, Activation) and isinstance(b, (int, float)):
        return a.with_tensor(function(a.tensor, b))
    if isinstance(b, Activation) and isinstance(a, (int, float)):
        return b.with_tensor(function(a, b.tensor))
    raise NotFusable("arithmetic on something else than tensors and numbers")
