"""How many members fit into memory at the same time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from recipes.fusing import BLOCK
from recipes.task import Task
from worker.fused.batches import MemberBatches
from worker.fused.evaluation import evaluate_rows
from worker.fused.free_memory import free_bytes
from worker.fused.internals import MemberInternals
from worker.fused.memory import MemoryWatch, PeakMemory
from worker.fused.team import Team
from worker.training.evaluation import BATCH_SIZE
from worker.training.member import Member
from worker.training.optimizers import PlainOptimizer
from worker.training.probes import DEAD_SAMPLES, unit_shares

MEMORY_SHARE = 0.25
"""Of what is free: other slots, and the data, need some too."""


def peaks(
    task: Task, make: Callable[[int], Sequence[Member]], number: int, *, is_mapped: bool
) -> tuple[int, int, int]:
    """The most bytes that a whole training of so many members holds at a time, by its parts.

    Of an iteration with all that is held beside it: the members' own models and optimisers, and
    everybody's best weights; of an evaluation; and of a look at one member's units.

    Args:
        task: Theirs.
        make: So many members; they are made within what is counted, and are not used again.
        number: How many.
        is_mapped: How their forward is run.
    """
    device = _device(make(1)[0])
    with MemoryWatch(device) as watch:
        members = list(make(number))
        team = Team.of(task, members, is_mapped=is_mapped)
        internals = MemberInternals(team.stack)
        batches = MemberBatches([replace(each, augment=None) for each in members], device)
        best = []
        for iteration, positions in zip(range(2), _endless(batches), strict=False):
            inputs, target, is_shared = batches.batch(positions)
            team.masks.seed([0] * number, epoch=0)
            losses, outputs = team.forward.train(inputs, target, is_shared=is_shared)
            team.backward(losses)
            internals.before_step()
            team.step([1.0] * number)
            internals.after_step()
            del losses, outputs
            if iteration == 0:  # from the first epoch's end on this is held
                for row, member in enumerate(members):
                    team.write_to(row, member, with_optimizer=True)
                    best.append(team.stack.copy_of(row))
        of_iteration = watch.restart()
        rows = range(number)
        for each in members[0].evaluated[-1:]:
            sample = each._replace(indices=each.indices[:BATCH_SIZE])
            evaluate_rows(task, team.stack, rows, sample, iteration=1)
        of_evaluation = watch.restart()
        unit_shares(members[0].model, members[0].sample, num_trained=DEAD_SAMPLES * 100)
        return of_iteration, of_evaluation, watch.restart()


class Room:
    """Answers how many members of a form may train together on this machine, as it is now.

    What they take is measured once a form; what is free is looked at every time.
    """

    def __init__(self) -> None:
        self._needed: dict[Hashable, PeakMemory] = {}

    def most(
        self, task: Task, members: Sequence[Member], *, form: Hashable, is_mapped: bool
    ) -> int:
        """At most ``len(members)``; asked before a group is made.

        Whole blocks, and at least one: fewer rows would round in another way. Whoever does not
        fit even so runs out of memory, and is trained one by one.

        Args:
            task: Theirs.
            members: Of one form, all that would like to; nothing of theirs changes.
            form: What they have in common.
            is_mapped: How their forward is run.
        """
        if len(members) <= BLOCK:
            return len(members)
        if form not in self._needed:
            self._needed[form] = PeakMemory.measured(
                lambda number: peaks(
                    task, lambda so_many: _copies(members, so_many), number, is_mapped=is_mapped
                )
            )
        room = free_bytes(_device(members[0])) * MEMORY_SHARE
        fitting = self._needed[form].most_within(room)
        if fitting >= len(members):
            return len(members)
        return max(BLOCK, int(fitting) // BLOCK * BLOCK)


def _copies(members: Sequence[Member], number: int) -> list[Member]:
    """Members to be trained and thrown away."""
    found = []
    for at in range(number):
        member = members[at % len(members)]
        model = copy.deepcopy(member.model)
        optimizer = PlainOptimizer(model.parameters(), member.hyperparameters.optimizer)
        optimizer.load(member.optimizer.state())
        found.append(replace(member, model=model, optimizer=optimizer))
    return found


def _endless(batches: MemberBatches) -> Iterator[tuple[Tensor, ...]]:
    """The first epoch's, again and again: a run of one iteration has no second."""
    while True:
        yield from batches.of_epoch(0)


def _device(member: Member) -> torch.device:
    return next(member.model.parameters()).device
