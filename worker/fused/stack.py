"""The tensors of K models over a leading member axis, and a skeleton that runs on them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from worker.training.weights import model_tensors


class Stack:
    """K models of equal form as one: each of their tensors [K, ...].

    Attributes:
        skeleton: A copy of the first model for its operations. ``run`` puts other tensors into
            it and leaves them there, so whoever calls it by itself computes with those.
        parameters: By name, [K, ...]; trainable ones are leaves that collect gradients. Tied
            ones stand here once.
        buffers: By name, [K, ...]; those left out of state_dict too.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        first = models[0]
        self.skeleton = copy.deepcopy(first)
        named = [(dict(each.named_parameters()), dict(each.named_buffers())) for each in models]
        self.parameters: dict[str, Tensor] = {
            name: torch.stack([parameters[name].detach() for parameters, _ in named])
            for name in named[0][0]
        }
        self.buffers: dict[str, Tensor] = {
            name: torch.stack([buffers[name].detach() for _, buffers in named])
            for name in named[0][1]
        }
        self.trainable = tuple(
            name for name, parameter in first.named_parameters() if parameter.requires_grad
        )
        self._lead()
        self._places = _places(self.skeleton)

    @property
    def num_members(self) -> int:
        """K."""
        tensor = next(iter({**self.parameters, **self.buffers}.values()))
        return len(tensor)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor [K, ...] by name, without gradients."""
        both = {**self.parameters, **self.buffers}
        return {name: tensor.detach() for name, tensor in both.items()}

    def own_names(self, module: nn.Module) -> list[tuple[str, str]]:
        """A module's own parameters and buffers: (short name, the tensor's name here)."""
        return [(key, name) for each, _, key, name in self._places if each is module]

    def row(self, member: int) -> dict[str, Tensor]:
        """One member's tensors by name: views."""
        return {name: tensor[member] for name, tensor in self.tensors().items()}

    def are_equal(self, rows: Sequence[int]) -> bool:
        """Whether these members have the same tensors, bit by bit."""
        return all(
            torch.equal(tensor[row], tensor[rows[0]])
            for tensor in self.tensors().values()
            for row in rows[1:]
        )

    def write_to(self, member: int, model: nn.Module) -> None:
        """Put one member's tensors into a model of the same form, in place."""
        own = model_tensors(model)
        with torch.no_grad():
            for name, tensor in self.row(member).items():
                own[name].copy_(tensor)

    def copy_of(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's tensors, as ``worker.training.weights`` copies a model's."""
        return {
            name: tensor.cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in self.row(member).items()
        }

    def keep(self, rows: Tensor) -> None:
        """Cut to the members of these rows, int64 (K',), in their order."""
        with torch.no_grad():
            for held in (self.parameters, self.buffers):
                for name, tensor in held.items():
                    held[name] = tensor.detach().index_select(0, rows)
        self._lead()

    def run(self, tensors: Mapping[str, Tensor], *arguments: Tensor) -> Tensor:
        """The skeleton's forward on other tensors than its own, of one member."""
        for module, kind, key, name in self._places:
            getattr(module, kind)[key] = tensors[name]
        output: Tensor = self.skeleton(*arguments)
        return output

    def _lead(self) -> None:
        for name in self.trainable:
            self.parameters[name].requires_grad_()


def _places(model: nn.Module) -> list[tuple[nn.Module, str, str, str]]:
    """Where a model holds its tensors: (module, dictionary, key, the tensor's first name)."""
    first: dict[int, str] = {}
    found = []
    for kind, named in (
        ("_parameters", model.named_parameters(remove_duplicate=False)),
        ("_buffers", model.named_buffers(remove_duplicate=False)),
    ):
        for name, tensor in named:
            path, _, key = name.rpartition(".")
            found.append(
                (model.get_submodule(path), kind, key, first.setdefault(id(tensor), name))
            )
    return found
