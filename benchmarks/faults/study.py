"""A cell carried out: the product's own steps 1 to 3, the run among peers, and step 6.

Nothing here measures or judges. Steps plan, the worker's loop trains, rules find; what is
trained is kept in the store. As in the product, a gate that fails ends the diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.faults.cell import Cell, Prepared, prepare
from benchmarks.faults.fault import all_faults
from benchmarks.faults.store import Kept, Store, code_digest, training_key
from benchmarks.faults.watch import TensorWatch
from recipes.curve import join
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.trial_series import trial_series
from recipes.finding import Finding
from recipes.readings import read
from recipes.result import Best, Result
from recipes.run import RunSpec
from recipes.search.runs import job_plans
from recipes.search.scoring import score
from recipes.seeds import derive_seed
from recipes.space import ParameterValue
from recipes.step import StepKind, StepReport, StepState, TrialPlan, TrialResult
from recipes.trial import TrialPurpose
from tests.whole_study import Trained, WholeStudy
from worker.data.data import TaskData, load_data
from worker.describe.describe import describe
from worker.describe.errors import TaskError
from worker.training.checkpoint import Checkpoint
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")

PEER_FACTORS = (0.1, 10.0)
"""Rates of the run's peers as multiples of its own: what a search in log space has beside it."""

FINE = (5, 1, 1)
CURVES = (6, 1, 1)
"""Step, round and pass."""


@dataclass(frozen=True)
class Diagnosis:
    """What the product says of a cell, and what other tools' rules may look at.

    Attributes:
        findings: With the step that made each, errors first, else in order of the steps.
        stopped_at: The gate that failed, if one did: then nothing after it was said.
        run: The run itself; None when the task could not be described.
        tensors: The onlooker's records of the run.
        problem: Why the task could not be described.
    """

    cell: Cell
    findings: tuple[tuple[int, Finding], ...]
    stopped_at: int | None
    description: Any
    run: TrialResult | None
    tensors: tuple[dict[str, Any], ...]
    problem: str = ""


def diagnose(cell: Cell, store: Store) -> Diagnosis:
    """Carry out a cell."""
    prepared = prepare(cell)
    try:
        data = load_data(prepared.task, CPU)
        description = describe(prepared.task, data, device=CPU)
    except TaskError as error:
        return Diagnosis(cell, (), 0, None, None, (), error.problem.message)
    fixed = {name: value for name, value in prepared.setting.items() if name != "lr"}
    study = CellStudy(
        cell, prepared, data, store, description, seed=cell.seed, steps=(1, 2, 3), set=fixed
    )
    reports = study.run()
    found = [(report.number, finding) for report in reports for finding in report.findings]
    is_stopped = bool(reports) and reports[-1].verdict is StepState.FAILED
    run = study.train_run(with_peers=not is_stopped)
    if not is_stopped:
        found += [(6, finding) for finding in study.read_run(run)]
    found.sort(key=lambda each: each[1].severity != "error")
    return Diagnosis(
        cell,
        tuple(found),
        reports[-1].number if is_stopped else None,
        description,
        study.trials[run],
        tuple(study.tensors),
    )


class CellStudy(WholeStudy):
    """A study of one cell, whose training is kept.

    Args:
        config: Fields of the study's config.
    """

    def __init__(
        self,
        cell: Cell,
        prepared: Prepared,
        data: TaskData,
        store: Store,
        description: Any,
        **config: Any,
    ) -> None:
        torch.set_num_threads(1)
        super().__init__(description, **config)
        self.cell = cell
        self.prepared = prepared
        self.data = data
        self.store = store
        self.checkpoints: dict[int, Checkpoint] = {}
        self.snapshots: dict[int, bytes] = {}
        self.tensors: list[dict[str, Any]] = []
        self._watched: int | None = None
        modules = [type(prepared.task).__module__]
        if prepared.task.is_altered:
            modules.append(all_faults()[cell.fault].family)
        self._code = code_digest(*modules)

    def train_members(self, run: RunSpec, continued: set[int]) -> list[Trained]:
        """Read the training back, or carry it out and keep it."""
        if continued:
            raise ValueError("continued: a cell has no rungs; train its trials to the end")
        trials = sorted({number for member in run.members for number in member.snapshots})
        key = training_key(
            self.prepared.identity,
            self._code,
            run,
            [self.snapshots[number] for number in trials],
        )
        kept = self.store.read(key)
        if kept is None:
            kept = self._train_and_keep(key, run)
        for member, each in zip(run.members, kept, strict=True):
            if each.snapshot is not None:
                self.snapshots[member.trial] = each.snapshot
            if member.trial == self._watched:
                self.tensors = each.tensors
        return [
            Trained(each.outcome.model_copy(update={"trial": member.trial}), each.curves)
            for member, each in zip(run.members, kept, strict=True)
        ]

    def _train_and_keep(self, key: str, run: RunSpec) -> list[Kept]:
        reporter = CollectingReporter()
        watch = TensorWatch()
        is_watched = len(run.members) == 1 and run.members[0].trial == self._watched
        self.prepared.task.attach = watch.attach if is_watched else None
        train(self.prepared.task, self.data, run, reporter, snapshots=self.snapshots)
        kept = [
            Kept(
                reporter.outcomes[member.trial],
                join(block for block in reporter.blocks if block.trial == member.trial),
                reporter.snapshots.get(member.trial),
                watch.records if is_watched else [],
            )
            for member in run.members
        ]
        self.store.write(key, kept)
        return kept

    def train_run(self, *, with_peers: bool) -> int:
        """Train the cell's run, then its peers; the run's trial number.

        Args:
            with_peers: Only step 6 reads them; other tools see the run alone.
        """
        context = self.context(FINE, self.spent())
        setting = self.prepared.setting
        number = len(self.trials)
        self._watched = number
        (job,) = job_plans(
            context, [self._planned(setting)], epochs=self.prepared.epochs, keep_snapshot=True
        )
        self._train(job, [number], FINE)
        lr = float(setting["lr"])
        factors = PEER_FACTORS if with_peers else ()
        peers = [self._planned({**setting, "lr": factor * lr}) for factor in factors]
        for each in peers:
            for job in job_plans(context, [each], epochs=self.prepared.epochs):
                self._train(job, [len(self.trials)], FINE)
        return number

    def _planned(self, setting: dict[str, ParameterValue]) -> TrialPlan:
        return TrialPlan(
            params=setting,
            seed=derive_seed(self.cell.seed, "search", "weights"),
            data_seed=derive_seed(self.cell.seed, "search", "data"),
            purpose=TrialPurpose.SEARCH,
            label="run",
        )

    def read_run(self, number: int) -> Sequence[Finding]:
        """Step 6 with the run as the setting to be judged, its probe included.

        A run without a value cannot be what a study leads with; its curves are read among
        its peers all the same, as those of the other trials are.
        """
        scored = score(self.trials[number], self.description)
        if scored is None:
            peers = [trial_series(self.trials[number + 1 + at]) for at in range(len(PEER_FACTORS))]
            own = trial_series(self.trials[number])
            others = [each for each in peers if each.epochs]
            memorises = True if self._has_learned("overfit_lr") else None
            return read(CurveEvidence(self.description, own, others, None, memorises))
        best = Best(
            trial=number,
            params=dict(scored.trial.params),
            metric=self.description.metric,
            direction=self.description.direction,
            value=scored.value,
            standard_error=scored.standard_error,
            n=scored.n,
            num_candidates=1,
            epoch=scored.epoch,
            epochs=scored.epochs,
        )
        self.history.append(
            StepReport(
                number=FINE[0],
                kind=StepKind.FINE_SEARCH,
                round=FINE[1],
                pass_number=FINE[2],
                state=StepState.PASSED,
                verdict=StepState.PASSED,
                result=Result(best=best),
            )
        )
        report = self.step(*CURVES)
        leading = [each for each in report.findings if each.trial is None]
        said = {each.code for each in leading}
        alone = [each for each in report.findings if each.trial == number]
        return [*leading, *(each for each in alone if each.code not in said)]

    def _has_learned(self, name: str) -> bool:
        return any(name in report.learned for report in self.history)
