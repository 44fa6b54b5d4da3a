"""A task whose trials take next to nothing: what is left is what carrying them out costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recipes import Float, Task
from recipes.space import Params
from recipes.task import SplitName


class Trivial(Task):
    """Eight samples and a linear layer."""

    num_classes = 2
    space = {"lr": Float(1e-3, 1e-1, log=True), "weight_decay": Float(1e-6, 1e-2, log=True)}

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """The same in all splits."""
        targets = torch.arange(8) % 2
        return torch.stack([targets.float(), 1.0 - targets], dim=1) * 2 - 1, targets

    def model(self, params: Params) -> nn.Module:
        """Six numbers."""
        return nn.Linear(2, 2)
