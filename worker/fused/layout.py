"""How the activations of K members lie in one tensor, and how one layout becomes another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from torch import Tensor


class Layout(Enum):
    """What the first dimensions of a tensor are."""

    SHARED = "shared"  # (B, ...): the same for all members
    ROWS = "rows"  # (K, B, ...): a row a member
    CHANNELS = "channels"  # (B, K * C, ...): the members' channels side by side


@dataclass(frozen=True, slots=True)
class Activation:
    """A tensor of all members.

    Attributes:
        num_members: K.
    """

    tensor: Tensor
    layout: Layout
    num_members: int

    @property
    def shape(self) -> tuple[int, ...]:
        """What one member sees."""
        shape = tuple(self.tensor.shape)
        if self.layout is Layout.ROWS:
            return shape[1:]
        if self.layout is Layout.CHANNELS:
            return (shape[0], shape[1] // self.num_members, *shape[2:])
        return shape

    def with_tensor(self, tensor: Tensor) -> Activation:
        """Another tensor of the same layout."""
        return Activation(tensor, self.layout, self.num_members)

    def rows(self) -> Tensor:
        """(K, B, ...)."""
        if self.layout is Layout.ROWS:
            return self.tensor
        if self.layout is Layout.CHANNELS:
            shape = self.tensor.shape
            apart = self.tensor.view(shape[0], self.num_members, -1, *shape[2:])
            return apart.transpose(0, 1)
        return self.tensor.unsqueeze(0).expand(self.num_members, *self.tensor.shape)

    def channels(self) -> Tensor:
        """(B, K * C, ...); of a tensor that has channels."""
        if self.layout is Layout.CHANNELS:
            return self.tensor
        return self.rows().transpose(0, 1).flatten(1, 2)
