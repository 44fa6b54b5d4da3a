"""One member's run beside its iterations: what is measured at its start, between its epochs
and at its end, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from torch import Tensor

from recipes.outcome import Evaluation, MemberOutcome
from recipes.run import MemberSpec, Probe, RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.data import TaskData
from worker.training.at_best import look_at_best
from worker.training.best import BestWeights, Objective
from worker.training.checkpoint import Checkpoint, pack, restore
from worker.training.member import Member, make_member
from worker.training.probes import measure_initialisation, mode_losses, unit_shares
from worker.training.record import Record
from worker.training.reporting import Reporter
from worker.training.seeding import mask_seed, seed_everything
from worker.training.snapshot import SnapshotInfo, pack_snapshot, start_from
from worker.training.weights import copy_weights, put_weights

CopiedWeights = Callable[[], Mapping[str, Tensor]]
"""Copies a model's tensors, by name."""


class MemberRun:
    """A member that is ready to train, its record, and its best weights where they are kept.

    Every measurement is taken of ``member.model`` and, for a checkpoint, of its optimiser:
    who trains them elsewhere puts them back first.

    Args:
        objective: What decides between two epochs.
        checkpoint: Where it goes on; None: it begins.
        start: The snapshot whose weights it begins with; None: its own initial ones.
        checkpoint_seconds: Least time between two checkpoints.

    Raises:
        ValueError: A hyperparameter, a split's name, the model or a checkpoint does not fit.
    """

    def __init__(
        self,
        task: Task,
        data: TaskData,
        run: RunSpec,
        spec: MemberSpec,
        report: Reporter,
        record: Record,
        *,
        objective: Objective,
        checkpoint: Checkpoint | None,
        start: bytes | None,
        checkpoint_seconds: float,
    ) -> None:
        self._task = task
        self._run = run
        self._report = report
        self.record = record
        self.member: Member = make_member(task, data, run, spec)
        self.best = BestWeights(objective) if run.keep_snapshot or run.evaluate_at_best else None
        self.first_epoch = checkpoint.epoch if checkpoint else 0
        self._checkpoint_seconds = checkpoint_seconds
        self._checkpoint_at = time.monotonic()
        if checkpoint is not None:
            restore(checkpoint.content, self.member.model, self.member.optimizer, best=self.best)
        elif start is not None:
            start_from(start, self.member.model)
        record.begin(
            num_iterations=self.member.batches.num_iterations,
            sample_digest=self.member.sample.digest,
            switched_off=self.member.switched_off,
        )

    @property
    def last_epoch(self) -> int:
        """Where it ends, or pauses."""
        num_epochs = self.member.batches.num_epochs
        return min(self._run.until_epoch or num_epochs, num_epochs)

    def measure_initialisation(self) -> None:
        """The state before the first iteration, where the run asks for it."""
        if Probe.INITIALISATION in self._run.probes:
            self.record.initialisation = measure_initialisation(
                self._task, self.member.model, self.member.sample
            )

    def evaluate(self, *, iteration: int) -> None:
        """Evaluate the model as it stands."""
        model = self.member.model
        for each in self.member.evaluated:
            self.take(
                each.evaluate(self._task, model, iteration=iteration),
                copied=lambda: copy_weights(model),
            )

    def take(self, evaluation: Evaluation, *, copied: CopiedWeights) -> None:
        """An evaluation, and the weights it is of where they are the best so far."""
        epoch = self.record.add_evaluation(evaluation)
        if self.best is not None and evaluation.split == "val" and epoch > 0:
            self.best.see(evaluation, epoch=epoch, copied=copied)

    def wants_checkpoint(self, *, epochs_done: int) -> bool:
        """Whether one is due at this epoch's end; none where no epoch remains."""
        if epochs_done >= self.member.batches.num_epochs:
            return False
        is_due = time.monotonic() - self._checkpoint_at >= self._checkpoint_seconds
        return is_due or epochs_done == self.last_epoch

    def save(self, *, epochs_done: int) -> None:
        """A checkpoint, after the points it covers."""
        member, record = self.member, self.record
        record.curves.flush()
        progress = record.progress(epoch=epochs_done)
        content = pack(member.model, member.optimizer, progress, best=self.best)
        self._report.checkpoint(member.spec.trial, epochs_done, record.iterations, content)
        self._checkpoint_at = time.monotonic()

    def pause(self) -> MemberOutcome:
        """Wait at a rung. The checkpoint was told already, or is the one it began with."""
        self._measure_units()
        return self.record.pause()

    def end(self, cause: TrialCause) -> MemberOutcome:
        """The last measurements. A diverged model is not evaluated: its loss said it."""
        record = self.record
        if cause is TrialCause.FINISHED and not record.evaluated_at(record.iterations):
            self.evaluate(iteration=record.iterations)
        self._measure_units()
        if cause is TrialCause.FINISHED and self._run.internals_every is not None:
            # What its dropout draws here must not depend on who drew before.
            num_epochs = self.member.batches.num_epochs
            seed_everything(mask_seed(self.member.spec.seed, epoch=num_epochs))
            record.mode_losses = mode_losses(
                self._task,
                self.member.model,
                self.member.sample,
                num_trained=self._num_trained,
            )
        if cause is not TrialCause.EARLY_DISCARD:
            self._measure_best()
        return record.close(cause)

    def _measure_units(self) -> None:
        if self._run.internals_every is not None:
            shares = unit_shares(
                self.member.model, self.member.sample, num_trained=self._num_trained
            )
            self.record.dead_share, self.record.saturated_share = shares

    @property
    def _num_trained(self) -> int:
        """Samples it has gone through, with repeats."""
        return self.record.iterations * self.member.batches.batch_size

    def _measure_best(self) -> None:
        """Evaluate the best epoch's weights and leave them as an artifact.

        They replace the model's own, which nothing needs any more. A run of no iterations
        has but one state, which is then its best; one whose every epoch was non-finite
        has none.
        """
        member, record, best = self.member, self.record, self.best
        if best is None:
            return
        epoch = best.epoch
        if epoch is not None:
            put_weights(
                member.model,
                best.weights,
                what="its own best epoch",
                cure="let the model keep its tensors' shapes while it trains",
            )
        elif record.iterations > 0:
            return
        look_at_best(
            self._task,
            member.model,
            member.evaluated_at_best,
            record,
            iteration=epoch.iteration if epoch else 0,
        )
        if epoch is None or not self._run.keep_snapshot:
            return
        spec = member.spec
        info = SnapshotInfo(
            trial=spec.trial,
            epoch=epoch.epoch,
            iteration=epoch.iteration,
            params=spec.params,
            seed=spec.seed,
            init=member.hyperparameters.init,
        )
        content = pack_snapshot(best.weights, info)
        self._report.snapshot(spec.trial, epoch.epoch, epoch.iteration, content)
        record.snapshot_epoch = epoch.epoch
