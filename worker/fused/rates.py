"""Iterations a second, measured: of one member as the loop trains it, and of several together."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from recipes.memory_format import MemoryFormatName
from recipes.run import MemberSpec, RunSpec
from recipes.space import Params
from recipes.task import Task
from worker.data.data import TaskData
from worker.fused.accuracies import MemberAccuracies
from worker.fused.admission import Admitted
from worker.fused.batches import MemberBatches
from worker.fused.team import Team
from worker.training.member import Member, make_member
from worker.training.metrics import AccuracyMeter
from worker.training.precision import in_precision

RUN_SECONDS = 0.03
REPEATS = 2
"""A measurement takes about so long, and the best of so many counts: others only disturb."""
SEED = 0


class Budget:
    """Seconds that may still be spent."""

    def __init__(self, seconds: float) -> None:
        self._until = _now() + seconds

    @property
    def left(self) -> float:
        """How many are left; below 0 when too many were."""
        return self._until - _now()


def measured_rate(iterate: Callable[[int], None], number: int, budget: Budget) -> float:
    """Member-iterations a second: the best of a few runs."""
    iterate(2)
    count, best = 2, math.inf
    for _ in range(REPEATS + 1):
        best = min(best, seconds_of(iterate, count))
        if budget.left <= 0:
            break
        count = max(2, min(math.ceil(RUN_SECONDS / best), 10_000))
    return number / best


def seconds_of(iterate: Callable[[int], None], count: int) -> float:
    """What one of so many iterations takes."""
    started = _now()
    iterate(count)
    return max(_now() - started, 1e-9) / count


def _now() -> float:
    """The processor's time of this process where it computes itself, so that others that run
    at the same time do not count; else the wall's."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def alone_iterations(task: Task, member: Member) -> Callable[[int], None]:
    """Iterations as ``worker.training.loop`` does them."""
    batches = MemberBatches([replace(member, augment=None)], _device(member))
    accuracies = AccuracyMeter(task)

    def iterate(count: int) -> None:
        member.model.train()
        for inputs, target in _batches(batches, count):
            output = in_precision(task, member.model, inputs)
            loss = member.loss(output, target)
            member.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            member.optimizer.step()
            accuracies.add(output, target)
        accuracies.read()

    return iterate


def together_iterations(
    task: Task, members: Sequence[Member], admitted: Admitted
) -> Callable[[int], None]:
    """Iterations as ``worker.fused.loop`` does them."""
    batches = MemberBatches([replace(each, augment=None) for each in members], _device(members[0]))
    team = Team.of(task, members, is_mapped=admitted.is_mapped)
    accuracies = MemberAccuracies(task)

    def iterate(count: int) -> None:
        team.masks.seed([SEED] * len(members), epoch=0)
        for inputs, target in _batches(batches, count):
            losses, outputs = team.forward.train(inputs, target, is_shared=True)
            team.backward(losses)
            team.step([1.0] * len(members))
            accuracies.add(outputs, target, is_shared=True)
        accuracies.read()

    return iterate


def _batches(batches: MemberBatches, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """So many batches of the members' shared order, epoch after epoch."""
    for epoch in itertools.count():
        for indices in batches.of_epoch(epoch):
            if count == 0:
                return
            inputs, target, _ = batches.batch(indices)
            yield inputs, target
            count -= 1


def trial_member(
    task: Task,
    data: TaskData,
    params: Params,
    row: int,
    *,
    memory_format: MemoryFormatName = "contiguous",
) -> Member:
    """A member to measure with, the ``row``-th of those that are tried together."""
    spec = MemberSpec(trial=row, params=dict(params), seed=SEED + row, data_seed=SEED)
    run = RunSpec(
        members=(spec,), iterations=10_000, evaluate=("val",), memory_format=memory_format
    )
    return make_member(task, data, run, spec)


def _device(member: Member) -> torch.device:
    return next(member.model.parameters()).device
