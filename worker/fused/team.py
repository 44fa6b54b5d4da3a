"""K members made one: their tensors stacked, their forward, their optimiser, their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.task import Task
from worker.fused.forward import Forward
from worker.fused.graph import known_graph
from worker.fused.internals import clip_gradients
from worker.fused.losses import MemberLosses
from worker.fused.masks import MemberMasks, keep_rates, member_rates, put_rates
from worker.fused.optimizer import MemberOptimizer
from worker.fused.stack import Stack
from worker.training.member import Member


@dataclass
class Team:
    """What trains K members of equal form with one forward, backward and step.

    Attributes:
        norm_limits: The largest gradient norm of each, (K,), 0: any; None: of none.
    """

    stack: Stack
    masks: MemberMasks
    losses: MemberLosses
    forward: Forward
    optimizer: MemberOptimizer
    norm_limits: Tensor | None

    @classmethod
    def of(cls, task: Task, members: Sequence[Member], *, is_mapped: bool = False) -> Team:
        """Of members as they stand: weights, buffers and the state of their optimisers.

        Args:
            task: Theirs.
            members: Of equal form.
            is_mapped: Whether their forward is mapped even where its layers are known.
        """
        stack = Stack([each.model for each in members])
        put_rates(stack.skeleton, member_rates([each.model for each in members]))
        like = next(iter(stack.parameters.values()))
        of_runs = [each.hyperparameters for each in members]
        masks = MemberMasks(like.device)
        losses = MemberLosses(task, [each.label_smoothing for each in of_runs])
        optimizer = MemberOptimizer(
            [stack.parameters[name] for name in stack.trainable],
            [each.optimizer for each in of_runs],
        )
        optimizer.load([each.optimizer.state() for each in members])
        limits = [each.grad_clip for each in of_runs]
        graph = None if is_mapped else known_graph(stack, masks)
        return cls(
            stack,
            masks,
            losses,
            Forward(task, stack, masks, losses, graph),
            optimizer,
            like.new_tensor(limits) if any(limits) else None,
        )

    def backward(self, losses: Tensor) -> None:
        """The gradients of each member's own loss; (K,)."""
        self.optimizer.zero_grad()
        torch.autograd.backward(losses, torch.ones_like(losses))

    def step(self, factors: Sequence[float]) -> None:
        """Clip where asked for, and update; a factor on each member's learning rate."""
        if self.norm_limits is not None:
            clip_gradients(self.stack, self.norm_limits)
        self.optimizer.step(factors)

    def keep(self, kept: Sequence[int]) -> None:
        """Cut to the members of these rows."""
        rows = torch.tensor(kept, device=next(iter(self.stack.parameters.values())).device)
        keep_rates(self.stack.skeleton, kept)
        self.stack.keep(rows)
        self.masks.keep(kept)
        self.losses.keep(kept)
        self.optimizer.keep([self.stack.parameters[name] for name in self.stack.trainable], rows)
        if self.norm_limits is not None:
            self.norm_limits = self.norm_limits.index_select(0, rows)

    def write_to(self, row: int, member: Member, *, with_optimizer: bool = False) -> None:
        """Put one row's tensors back into its member."""
        self.stack.write_to(row, member.model)
        if with_optimizer:
            member.optimizer.load(self.optimizer.state(row))
