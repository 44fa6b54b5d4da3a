"""One forward for K members: by layers written for them, else mapped over the member axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from recipes.task import Task
from worker.fused.graph import Graph
from worker.fused.losses import MemberLosses
from worker.fused.masks import MemberMasks, guarded_rates
from worker.fused.stack import Stack
from worker.training.precision import in_precision


def _warn_of_no_loops() -> None:
    """Torch loops over the members where an operation has no batching rule of its own, and warns
    of the time it takes. What it takes is measured, so nobody need be warned. The switch is a
    private one: where it is missing there are warnings, and nothing else changes."""
    functorch = getattr(torch._C, "_functorch", None)
    switch = getattr(functorch, "_set_vmap_fallback_warning_enabled", None)
    if switch is not None:
        switch(False)


_warn_of_no_loops()


class Forward:
    """Runs the members of a stack on a batch.

    Args:
        task: Theirs.
        stack: Their tensors; read at every call.
        masks: Draws their dropout.
        losses: Theirs.
        graph: Its operations, where all of them are known; None: they are mapped.
    """

    def __init__(
        self,
        task: Task,
        stack: Stack,
        masks: MemberMasks,
        losses: MemberLosses,
        graph: Graph | None,
    ) -> None:
        self._task = task
        self._stack = stack
        self._masks = masks
        self._losses = losses
        self._graph = graph
        # A fresh one is in train mode already, but for what a train() of its own sets otherwise.
        stack.skeleton.train()

    def train(self, inputs: Tensor, target: Tensor, *, is_shared: bool) -> tuple[Tensor, Tensor]:
        """Losses (K,) and outputs (K, B, ...) in train mode, with buffers updated in place.

        Args:
            inputs: (B, ...) where all members see one batch, else (K, B, ...).
            target: Likewise.
            is_shared: Which of the two.
        """
        if not self._stack.skeleton.training:
            self._stack.skeleton.train()
        run = self._mapped if self._graph is None else self._graph.run
        outputs = in_precision(self._task, partial(run, is_shared=is_shared), inputs)
        return self._losses.of(outputs, target, is_shared=is_shared), outputs

    def _mapped(self, inputs: Tensor, *, is_shared: bool) -> Tensor:
        stack = self._stack
        both = {**stack.parameters, **stack.buffers}
        names = tuple(both)

        def one(own: Sequence[Tensor], inputs: Tensor, member: Tensor) -> Tensor:
            with guarded_rates(), self._masks.within(member):
                return stack.run(dict(zip(names, own, strict=True)), inputs)

        members = torch.arange(stack.num_members, device=inputs.device)
        mapped = torch.vmap(one, in_dims=(0, None if is_shared else 0, 0), randomness="error")
        outputs: Tensor = mapped(list(both.values()), inputs, members)
        return outputs
