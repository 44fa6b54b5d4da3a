"""What a picture of a finding is of: a run of the fault bench, or a small search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import torch

from benchmarks.faults.cell import Cell, Prepared, prepare
from benchmarks.faults.halves import task_classes
from benchmarks.faults.store import Store
from benchmarks.faults.study import FINE, CellStudy
from recipes.finding import Finding
from recipes.search.runs import job_plans
from recipes.space import Distribution, ParameterValue
from recipes.step import Figure, TrialResult
from recipes.study import SearchOptions
from tests.in_process import Study
from worker.data.data import load_data
from worker.describe.describe import describe

CPU = torch.device("cpu")
SHORT = SearchOptions(coarse_trials=24, coarse_epochs=4, early_discard=False)
"""A search that takes seconds."""


class Case(ABC):
    """What a picture is of."""

    @abstractmethod
    def show(self, code: str, store: Store) -> tuple[Figure, str] | None:
        """The figure and what the product said; None when it did not say the code."""


class Alone(CellStudy):
    """A cell's study that can train its run without the peers."""

    def train_alone(self) -> TrialResult:
        """The run at the cell's setting."""
        number = len(self.trials)
        plan = self._planned(self.prepared.setting)
        context = self.context(FINE, self.spent())
        (job,) = job_plans(context, [plan], epochs=self.prepared.epochs, keep_snapshot=True)
        self._train(job, [number], FINE)
        return self.trials[number]


@dataclass(frozen=True)
class Ran:
    """A cell carried out: its run, and what the product said."""

    study: Alone
    run: TrialResult
    findings: tuple[Finding, ...]

    def figure(self, name: str) -> Figure:
        """A figure of a step's report."""
        return next(f for report in self.study.history for f in report.figures if f.name == name)


Drawing = Callable[[Ran, TrialResult | None], Figure]


@dataclass(frozen=True)
class Run(Case):
    """A run of the fault bench.

    Attributes:
        title: Of the figure.
        drawing: The figure.
        fault: As the bench calls it; "" is healthy.
        last_step: Of steps 1 to 3, the last one that is carried out. Step 6 judges the run
            where none of these says the code.
        epochs: Of the run, where not the bench's own.
        lr: Of the run, where not the bench's own.
        twin: Whether the healthy run stands behind it.
    """

    title: str
    drawing: Drawing
    fault: str = ""
    severity: str = "severe"
    task: str = "digits_mlp"
    seed: int = 0
    last_step: int = 0
    epochs: int | None = None
    lr: float | None = None
    twin: bool = True

    def __str__(self) -> str:
        length = f", {self.epochs} epochs" if self.epochs else ""
        return f"{self._cell.name}{length}" + (f", rate {self.lr:g}" if self.lr else "")

    @property
    def _cell(self) -> Cell:
        return Cell(self.task, self.fault, self.severity if self.fault else "", self.seed)

    def show(self, code: str, store: Store) -> tuple[Figure, str] | None:
        """Carry it out, and draw what the code is said of."""
        prepared = prepare(self._cell)
        setting = {**prepared.setting, **({"lr": self.lr} if self.lr else {})}
        prepared = replace(prepared, setting=setting, epochs=self.epochs or prepared.epochs)
        ran = _carried_out(self._cell, prepared, store, self.last_step, code)
        said = next((each for each in ran.findings if each.code == code), None)
        if said is None:
            return None
        twin = _healthy(self.task, self.seed, prepared.epochs, store) if self.twin else None
        return self.drawing(ran, twin).model_copy(update={"title": self.title}), said.sentence


def _carried_out(cell: Cell, prepared: Prepared, store: Store, last_step: int, code: str) -> Ran:
    study = _study(cell, prepared, store)
    for number in range(1, last_step + 1):
        study.step(number, 1, 1)
    found = [finding for report in study.history for finding in report.findings]
    if any(finding.code == code for finding in found):
        return Ran(study, study.train_alone(), tuple(found))
    number = study.train_run(with_peers=True)
    return Ran(study, study.trials[number], (*found, *study.read_run(number)))


@cache
def _healthy(task: str, seed: int, epochs: int, store: Store) -> TrialResult:
    """The same task without a fault, at the middle of the good settings, as long."""
    sound = task_classes()[task](data_seed=seed)
    own = sound.healthy
    setting: dict[str, ParameterValue] = {
        "lr": own.lr,
        "width": own.width,
        "batch_size": own.batch_size,
        "optimizer": "sgd",
        "weight_decay": own.weight_decay,
    }
    prepared = Prepared(sound, setting, epochs, f"{task}/{seed}/1.0")
    return _study(Cell(task, "", "", seed), prepared, store).train_alone()


def _study(cell: Cell, prepared: Prepared, store: Store) -> Alone:
    data = load_data(prepared.task, CPU)
    description = describe(prepared.task, data, device=CPU)
    fixed = {name: value for name, value in prepared.setting.items() if name != "lr"}
    return Alone(
        cell, prepared, data, store, description, seed=cell.seed, steps=(1, 2, 3), set=fixed
    )


@dataclass(frozen=True)
class Search(Case):
    """A small search of steps 4 and 5.

    Attributes:
        space: What is searched.
        figure: The report's figure that is shown.
    """

    title: str
    space: Mapping[str, Distribution]
    figure: str
    steps: Sequence[int] = (4,)
    task: str = "digits_mlp"
    options: SearchOptions = SHORT
    fixed: Mapping[str, float | str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"a search over {', '.join(self.space)} in {self.task}"

    def show(self, code: str, store: Store) -> tuple[Figure, str] | None:
        """Carry it out. Nothing of it is kept: it takes seconds."""
        del store
        task = task_classes()[self.task](data_seed=0)
        task.space = dict(self.space)  # type: ignore[misc]
        study = Study(task, steps=tuple(self.steps), search=self.options, set=dict(self.fixed))
        reports = [study.step(number, 1, 1) for number in self.steps]
        for report in reports:
            for finding in report.findings:
                if finding.code == code:
                    shown = next(f for f in report.figures if f.name == self.figure)
                    return shown.model_copy(update={"title": self.title}), finding.sentence
        return None
