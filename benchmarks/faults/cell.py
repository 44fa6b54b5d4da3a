"""Cells: what is run. A fault in a task under a seed, or a healthy twin."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.faults.fault import Draw, Severity, all_faults
from benchmarks.faults.halves import Half, names, task_classes
from benchmarks.faults.tasks.base import BenchTask
from recipes.seeds import derive_seed
from recipes.space import ParameterValue

SEEDS = 5
"""Of every fault in every task and severity (issue 5)."""

TWINS = 36
"""Healthy twins a base task: 576 in all, 252 in the report half."""

CELL_SECONDS = 9.0
"""CPU seconds of a cell that nothing is kept of, on average: measured."""

LEAST_SHARE = 0.7
"""Of the training samples, the least that a twin keeps."""

COSINE_SHARE = 1 / 3
"""Of the twins, those whose rate decays along a cosine; the others' is constant."""


@dataclass(frozen=True, order=True)
class Cell:
    """One run to be diagnosed.

    Attributes:
        fault: Its fault's name; "" for a healthy twin.
        severity: ``mild``, ``severe``, or "" for a twin.
        seed: Of its weights, batches and data; a twin's number.
    """

    task: str
    fault: str
    severity: str
    seed: int

    @property
    def name(self) -> str:
        """To show and to sort by."""
        parts = (self.task, self.fault or "healthy", self.severity, str(self.seed))
        return "/".join(part for part in parts if part)


@dataclass(frozen=True)
class Prepared:
    """A cell made ready.

    Attributes:
        task: With the fault in it.
        setting: The run's.
        epochs: The run's.
        identity: What makes the task what it is: cells whose fault is in the setting alone
            share the training of their healthy task.
    """

    task: BenchTask
    setting: dict[str, ParameterValue]
    epochs: int
    identity: str


def prepare(cell: Cell) -> Prepared:
    """Make a cell's task and setting.

    Raises:
        ValueError: No such task or fault.
    """
    if cell.task not in task_classes():
        raise ValueError(f"task: {cell.task!r} is none of {', '.join(task_classes())}")
    task_class = task_classes()[cell.task]
    if not cell.fault:
        return _twin(task_class, cell.seed)
    if cell.fault not in all_faults():
        raise ValueError(f"fault: {cell.fault!r} is none of {', '.join(all_faults())}")
    fault = all_faults()[cell.fault]
    task = task_class(data_seed=cell.seed)
    healthy = task.healthy
    setting: dict[str, ParameterValue] = {
        "lr": healthy.lr,
        "width": healthy.width,
        "batch_size": healthy.batch_size,
        "optimizer": "sgd",
        "weight_decay": healthy.weight_decay,
    }
    severity: Severity = "mild" if cell.severity == "mild" else "severe"
    fault.mutate(task, Draw(severity, cell.seed, setting))
    identity = f"{cell.task}/{cell.seed}/1.0"
    if task.is_altered:
        identity += f"/{cell.fault}/{cell.severity}"
    return Prepared(task, setting, max(1, round(fault.epochs * healthy.epochs)), identity)


def _twin(task_class: type[BenchTask], number: int) -> Prepared:
    """The ``number``-th healthy twin: everything that may vary without harm, drawn anew."""
    draw = random.Random(derive_seed("twin", task_class.name, number))
    healthy = task_class.healthy
    optimizer = draw.choice(sorted(healthy.rates))
    low, high = healthy.rates[optimizer]
    share = round(draw.uniform(LEAST_SHARE, 1.0), 2)
    setting: dict[str, ParameterValue] = {
        "lr": float(f"{math.exp(draw.uniform(math.log(low), math.log(high))):.3g}"),
        "width": draw.choice(healthy.widths),
        "batch_size": draw.choice(healthy.batch_sizes),
        "optimizer": optimizer,
        "weight_decay": healthy.weight_decay,
    }
    if optimizer == "sgd":
        # Ranges are of the middle batch size; SGD wants a rate that grows with the batch
        # (Goyal et al. 2017).
        scale = int(setting["batch_size"]) / healthy.batch_size
        low, high = scale * low, scale * high
        setting["lr"] = float(f"{scale * float(setting['lr']):.3g}")
    if draw.random() < COSINE_SHARE:
        # A decayed rate wants a higher start (method.md, step 7): the upper half of the range.
        setting["schedule"] = "cosine"
        setting["lr"] = float(f"{math.sqrt(float(setting['lr']) * high):.3g}")
    data_seed = 1_000 + number
    identity = f"{task_class.name}/{data_seed}/{share}"
    return Prepared(task_class(data_seed, share), setting, healthy.epochs, identity)


def cells(half: Half, *, seeds: int = SEEDS, twins: int = TWINS) -> Iterator[Cell]:
    """Every cell of a half: seeds from outermost, so that a run cut short has some of all."""
    for seed in range(max(seeds, twins)):
        for task in names(half):
            if seed < twins:
                yield Cell(task, "", "", seed)
            if seed >= seeds:
                continue
            for name, fault in all_faults().items():
                if fault.applies_to(task_classes()[task]):
                    for severity in fault.severities:
                        yield Cell(task, name, severity, seed)


def num_within(cpu_seconds: float) -> int:
    """How many cells that nothing is kept of can be carried out in so long; at least one."""
    return max(1, int(cpu_seconds / CELL_SECONDS))


def subset(all_cells: Sequence[Cell], count: int) -> list[Cell]:
    """An even part of the cells, the same at every call: faults, tasks and twins mixed."""
    order = sorted(all_cells, key=lambda cell: derive_seed("subset", cell.name))
    return order[:count]
