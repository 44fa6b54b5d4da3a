"""The batches that K members see: one for all of them where they share their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from worker.training.member import Member
from worker.training.seeding import augmentation_seed


class MemberBatches:
    """Fetches the batches of members of one batch size over one sample.

    Members with one data seed share a batch: it is fetched once, and what a first layer
    does with it can be shared. Augmentation makes a batch each member's own.

    Args:
        members: In the order of their rows.
        device: Where generators live.
        shares_order: Whether they share their batches; None: where they have one data seed.
            Given where company may have left: a batch of all and one of each are summed up in
            different ways, so which it is must not change with who is left.
    """

    def __init__(
        self,
        members: Sequence[Member],
        device: torch.device,
        *,
        shares_order: bool | None = None,
    ) -> None:
        self._members = list(members)
        self._device = device
        self._is_shared = len(self._seeds()) == 1 if shares_order is None else shares_order
        self._generators: list[torch.Generator] = []

    def keep(self, rows: Sequence[int]) -> None:
        """Cut to the members of these rows."""
        self._members = [self._members[row] for row in rows]
        if self._generators:
            self._generators = [self._generators[row] for row in rows]

    def begin_epoch(self, epoch: int) -> None:
        """Seed the augmentation."""
        self._generators = [
            torch.Generator(self._device).manual_seed(
                augmentation_seed(each.spec.seed, epoch=epoch)
            )
            for each in self._members
            if each.augment is not None
        ]

    def of_epoch(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """The batches of an epoch: of each data seed its positions, int64 (B,)."""
        plan = self._members[0].batches
        seeds = self._seeds()
        orders = [plan.batches(seed, epoch=epoch, device=self._device) for seed in seeds]
        for batches in zip(*orders, strict=True):
            # By seed, for members may leave within an epoch.
            self._by_seed = dict(zip(seeds, batches, strict=True))
            yield batches

    def batch(self, batches: Sequence[Tensor]) -> tuple[Tensor, Tensor, bool]:
        """Inputs, targets, and whether they are (B, ...) for all or (K, B, ...)."""
        sample = self._members[0].sample
        own = [self._by_seed[each.spec.data_seed] for each in self._members]
        is_shared = self._is_shared
        if is_shared:
            inputs, target = sample.batch(batches[0])
        else:
            inputs, target = sample.batch(torch.cat(own))
            inputs = inputs.view(len(own), -1, *inputs.shape[1:])
            target = target.view(len(own), -1, *target.shape[1:])
        if not self._generators:
            return inputs, target, is_shared
        augmented = []
        for row, (member, generator) in enumerate(
            zip(self._members, self._generators, strict=True)
        ):
            assert member.augment is not None
            # A copy: an augmentation may work in place.
            own_batch = (inputs, target) if is_shared else (inputs[row], target[row])
            augmented.append(
                member.augment((own_batch[0].clone(), own_batch[1].clone()), generator)
            )
        return (
            torch.stack([each[0] for each in augmented]),
            torch.stack([each[1] for each in augmented]),
            False,
        )

    def _seeds(self) -> list[int]:
        return list(dict.fromkeys(each.spec.data_seed for each in self._members))
