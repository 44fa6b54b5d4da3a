"""Whether a task's convolutions are faster with channels last: measured once, when described."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import get_args

import torch
from torch import nn

from recipes.memory_format import GAIN, MemoryFormat, MemoryFormatName
from recipes.space import Params, SearchSpace
from recipes.task import RESERVED_PARAMETERS, Task
from worker.data.data import TaskData
from worker.describe.errors import describe_exception
from worker.fused.rates import (
    RUN_SECONDS,
    Budget,
    alone_iterations,
    seconds_of,
    trial_member,
)
from worker.training.member import Member
from worker.training.precision import in_precision

MOST_SECONDS = 3.0
"""What measuring may take; a slow model takes longer, for it needs a few iterations."""
TOLERANCE = 1e-3
"""Of outputs, against the largest of them, between the formats: rounding is a hundredth of it."""
ROUNDS = 6
"""Runs of ``RUN_SECONDS`` in each format; the first warms up."""
LOOKED_AT = 64
"""Samples whose outputs are compared."""


def measure_memory_format(task: Task, data: TaskData, space: SearchSpace) -> MemoryFormat:
    """Time training and evaluating in the middle of the space in both formats.

    It raises nothing: a task is trained as it was written where anything goes wrong in here,
    as it does where a model looks at its tensors with ``view``.
    """
    center = dict(space.center())
    try:
        if not _has_images(trial_member(task, data, center, 0).model):
            return MemoryFormat()
        _check_agreement(task, data, center)
        for params in _extremes(space, center):
            member = trial_member(task, data, params, 0, memory_format="channels_last")
            alone_iterations(task, member)(1)
        gain = _gain(task, data, center)
    except Exception as error:
        # The task's own code runs in here, in a format it may never have seen.
        return MemoryFormat(reason=describe_exception(error))
    return MemoryFormat(name="channels_last" if gain >= GAIN else "contiguous", gain=gain)


def _has_images(model: nn.Module) -> bool:
    """Whether it convolves them; other models have no tensors that the format is about."""
    return any(isinstance(each, (nn.Conv2d, nn.ConvTranspose2d)) for each in model.modules())


def _check_agreement(task: Task, data: TaskData, params: Params) -> None:
    """Raise AssertionError where the same weights give other outputs in the other format."""
    outputs = []
    for name in get_args(MemoryFormatName):
        member = trial_member(task, data, params, 0, memory_format=name)
        rows = torch.arange(min(LOOKED_AT, member.sample.num_samples))
        with torch.no_grad():
            outputs.append(in_precision(task, member.model.eval(), member.sample.batch(rows)[0]))
    contiguous, channels_last = outputs
    largest = float(contiguous.abs().max())
    torch.testing.assert_close(channels_last, contiguous, rtol=0.0, atol=TOLERANCE * largest)


def _gain(task: Task, data: TaskData, params: Params) -> float:
    """How many times as fast training and evaluating are with channels last: best against best
    of short runs in turn, so that what else the machine does meets both."""
    runs = {}
    for name in get_args(MemoryFormatName):
        member = trial_member(task, data, params, 0, memory_format=name)
        runs[name] = (alone_iterations(task, member), _evaluations(task, member))
    best = dict.fromkeys(runs, math.inf)
    count, budget = 1, Budget(MOST_SECONDS)
    for _ in range(ROUNDS):
        for name, both in runs.items():
            best[name] = min(best[name], sum(seconds_of(each, count) for each in both))
        count = max(1, math.ceil(RUN_SECONDS / max(best.values())))
        if budget.left <= 0:
            break
    return best["contiguous"] / best["channels_last"]


def _evaluations(task: Task, member: Member) -> Callable[[int], None]:
    """Forwards of as many samples as an iteration has, in eval mode."""
    inputs, _ = member.sample.batch(torch.arange(member.batches.batch_size))

    @torch.no_grad()
    def evaluate(count: int) -> None:
        member.model.eval()
        for _ in range(count):
            in_precision(task, member.model, inputs)

    return evaluate


def _extremes(space: SearchSpace, center: Params) -> Iterator[Params]:
    """Settings that may build another model: each of the task's own names at its ends."""
    for name, distribution in space.root.items():
        if name not in RESERVED_PARAMETERS:
            for value in distribution.extremes():
                yield {**center, name: value}
