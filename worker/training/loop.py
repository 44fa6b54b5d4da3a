"""The training loop: a run spec's members trained one after another, from top to bottom.

A member is a group of one. What groups need, one optimiser over a leading member axis,
is in ``worker.training.member_optimizers``.

The train loss of iteration i is that of the batch before update i + 1: iteration 0 is
the untrained model's. A run that ends at iteration i has done i + 1 of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from recipes.curve import LEARNING_RATE
from recipes.outcome import MemberOutcome
from recipes.run import MemberSpec, Probe, RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.data import TaskData
from worker.describe.objective import objective
from worker.training.average import measure_average
from worker.training.best import BestWeights, Objective
from worker.training.checkpoint import Checkpoint, pack, read_progress, restore
from worker.training.failures import cause_of, describe_failure
from worker.training.internals import InternalsSampler
from worker.training.member import Member, make_member
from worker.training.metrics import AccuracyMeter
from worker.training.probes import measure_initialisation, mode_losses, unit_shares
from worker.training.record import Record
from worker.training.reporting import Reporter
from worker.training.schedules import rate_factor
from worker.training.seeding import augmentation_seed, mask_seed, seed_everything
from worker.training.snapshot import SnapshotInfo, pack_snapshot, start_from
from worker.training.weights import put_weights

INSPECT_EVERY = 10
"""Iterations between looks at the losses. A look waits for the device; what happened after
the iteration that ends a run is thrown away, so the result does not depend on this."""

NO_CHECKPOINTS: Mapping[int, Checkpoint] = MappingProxyType({})
NO_SNAPSHOTS: Mapping[int, bytes] = MappingProxyType({})


def train(
    task: Task,
    data: TaskData,
    run: RunSpec,
    report: Reporter,
    *,
    resume: Mapping[int, Checkpoint] = NO_CHECKPOINTS,
    snapshots: Mapping[int, bytes] = NO_SNAPSHOTS,
    checkpoint_seconds: float = 30.0,
) -> None:
    """Train the members of a run, and report points, checkpoints and one outcome each.

    Divergence is an outcome, and so is an error in the task's code; the other members
    still run. When ``report.stopping()`` turns true it returns at once, without an
    outcome for the members that have not ended. A member that pauses at
    ``run.until_epoch`` reports a checkpoint, then an outcome that waits.

    Args:
        resume: Checkpoints by trial number; such a member goes on from there, and ends
            with the weights and points of the uninterrupted run, bit by bit.
        snapshots: The content of every snapshot the members name, by trial number.
        checkpoint_seconds: Least time between checkpoints, taken at an epoch's end when
            epochs remain; 0: at every one.
    """
    for spec in run.members:
        outcome = _run_member(
            task,
            data,
            run,
            spec,
            report,
            checkpoint=resume.get(spec.trial),
            snapshots=snapshots,
            checkpoint_seconds=checkpoint_seconds,
        )
        if outcome is None:
            return
        report.outcome(outcome)


def _run_member(
    task: Task,
    data: TaskData,
    run: RunSpec,
    spec: MemberSpec,
    report: Reporter,
    *,
    checkpoint: Checkpoint | None,
    snapshots: Mapping[int, bytes],
    checkpoint_seconds: float,
) -> MemberOutcome | None:
    """One member's outcome; None when the run is told to stop."""
    progress = read_progress(checkpoint.content) if checkpoint else None
    decides = Objective(*objective(task))
    record = Record(run, spec.trial, report, decides, progress=progress)
    try:
        wanted = spec.snapshots if checkpoint is None else ()
        contents = [_snapshot_of(trial, snapshots) for trial in wanted]
        if len(contents) > 1:
            return measure_average(task, data, run, contents, record)
        member = make_member(task, data, run, spec)
        best = BestWeights(decides) if run.keep_snapshot or run.evaluate_at_best else None
        if checkpoint is not None:
            restore(checkpoint.content, member.model, member.optimizer, best=best)
        elif contents:
            start_from(contents[0], member.model)
        record.begin(
            num_iterations=member.batches.num_iterations,
            sample_digest=member.sample.digest,
            switched_off=member.switched_off,
        )
        loop = _Loop(task, data, run, report, member, record, best, checkpoint_seconds)
        return loop.run_epochs(first_epoch=checkpoint.epoch if checkpoint else 0)
    except Exception as error:
        # The task's own code runs in here: whatever it raises is this member's result.
        return record.close(cause_of(error), message=describe_failure(error))


def _snapshot_of(trial: int, snapshots: Mapping[int, bytes]) -> bytes:
    if trial not in snapshots:
        raise ValueError(f"snapshots: that of trial {trial} is missing; hand it to train")
    return snapshots[trial]


class _Iteration(NamedTuple):
    """One iteration's measurements, still on the device."""

    number: int
    loss: Tensor
    internals: Tensor | None
    lr: float | None  # where internals are sampled and it changes


class _Loop:
    """The loop of one member and what it holds on to between its iterations."""

    def __init__(
        self,
        task: Task,
        data: TaskData,
        run: RunSpec,
        report: Reporter,
        member: Member,
        record: Record,
        best: BestWeights | None,
        checkpoint_seconds: float,
    ) -> None:
        self._task = task
        self._device = data.device
        self._run = run
        self._report = report
        self._member = member
        self._record = record
        self._best = best
        self._checkpoint_seconds = checkpoint_seconds
        self._checkpoint_at = time.monotonic()
        self._internals = InternalsSampler.of(member.model)
        of_run = member.hyperparameters
        self._rate_changes = of_run.schedule != "constant" or of_run.warmup > 0
        self._accuracies = AccuracyMeter(task)
        self._uninspected: list[_Iteration] = []
        # A run that ends when it has learned its sample ends on that iteration's weights.
        self._inspect_every = 1 if run.stop_if_loss_below is not None else INSPECT_EVERY

    def run_epochs(self, *, first_epoch: int) -> MemberOutcome | None:
        """Train from an epoch's start to the end, or to the pause; None when told to stop."""
        member, record, run = self._member, self._record, self._run
        num_epochs = member.batches.num_epochs
        last_epoch = min(run.until_epoch or num_epochs, num_epochs)
        if first_epoch == 0:
            if Probe.INITIALISATION in run.probes:
                record.initialisation = measure_initialisation(
                    self._task, member.model, member.sample
                )
            self._evaluate(iteration=0)
        iteration = record.iterations
        for epoch in range(first_epoch, last_epoch):
            seed_everything(mask_seed(member.spec.seed, epoch=epoch))
            generator = torch.Generator(self._device).manual_seed(
                augmentation_seed(member.spec.seed, epoch=epoch)
            )
            member.model.train()
            for indices in member.batches.batches(
                member.spec.data_seed, epoch=epoch, device=self._device
            ):
                if self._report.stopping():
                    self._inspect()
                    record.curves.flush()
                    return None
                if self._report.dropped(member.spec.trial):
                    return self._end(self._inspect() or TrialCause.EARLY_DISCARD)
                self._uninspected.append(self._iterate(iteration, indices, generator))
                iteration += 1
                if iteration % self._inspect_every == 0:
                    cause = self._inspect()
                    if cause is not None:
                        return self._end(cause)
            cause = self._inspect()
            if cause is not None:
                return self._end(cause)
            if run.epochs is not None:
                self._evaluate(iteration=iteration)
            if epoch + 1 < num_epochs and (epoch + 1 == last_epoch or self._is_checkpoint_due()):
                self._save(epochs_done=epoch + 1)
        return self._end(TrialCause.FINISHED) if last_epoch == num_epochs else self._pause()

    def _iterate(self, iteration: int, indices: Tensor, generator: torch.Generator) -> _Iteration:
        """One optimiser step."""
        member = self._member
        hyperparameters, optimizer = member.hyperparameters, member.optimizer
        batch = member.sample.batch(indices)
        if member.augment is not None:
            batch = member.augment(batch, generator)
        inputs, target = batch
        factor = rate_factor(
            hyperparameters.schedule,
            iteration=iteration,
            num_iterations=member.batches.num_iterations,
            warmup=hyperparameters.warmup,
        )
        optimizer.set_rate_factor(factor)
        output = member.model(inputs)
        loss = member.loss(output, target)
        optimizer.zero_grad()
        every = self._run.internals_every
        is_sampled = every is not None and iteration % every == 0
        if is_sampled:
            self._internals.before_backward()
        loss.backward()  # type: ignore[no-untyped-call]
        if is_sampled:
            self._internals.before_step()
        if hyperparameters.grad_clip:
            clip_grad_norm_(member.model.parameters(), hyperparameters.grad_clip)
        optimizer.step()
        self._accuracies.add(output, target)
        return _Iteration(
            iteration,
            loss.detach(),
            self._internals.after_step() if is_sampled else None,
            hyperparameters.optimizer.lr * factor if is_sampled and self._rate_changes else None,
        )

    def _inspect(self) -> TrialCause | None:
        """Bring the waiting measurements in, in order, up to the one that ends the run."""
        waiting, self._uninspected = self._uninspected, []
        if not waiting:
            return None
        losses = torch.stack([each.loss for each in waiting]).tolist()
        shares: Sequence[float | None] = self._accuracies.read() or [None] * len(waiting)
        for each, loss, share in zip(waiting, losses, shares, strict=True):
            internals = each.internals
            named = {} if internals is None else self._internals.named(internals.tolist())
            if each.lr is not None:
                named[LEARNING_RATE] = each.lr
            cause = self._record.add_iteration(each.number, loss, share, named)
            if cause is not None:
                return cause
        self._record.curves.flush_when_due()
        return None

    def _pause(self) -> MemberOutcome:
        """Wait at a rung. The checkpoint was told already, or is the one it began with."""
        self._measure_units()
        return self._record.pause()

    def _end(self, cause: TrialCause) -> MemberOutcome:
        """The last measurements. A diverged model is not evaluated: its loss said it."""
        record = self._record
        if cause is TrialCause.FINISHED and not record.evaluated_at(record.iterations):
            self._evaluate(iteration=record.iterations)
        self._measure_units()
        if cause is TrialCause.FINISHED and self._run.internals_every is not None:
            record.mode_losses = mode_losses(self._task, self._member.model, self._member.sample)
        if cause is not TrialCause.EARLY_DISCARD:
            self._measure_best()
        return record.close(cause)

    def _measure_units(self) -> None:
        if self._run.internals_every is not None:
            num_trained = self._record.iterations * self._member.batches.batch_size
            shares = unit_shares(self._member.model, self._member.sample, num_trained=num_trained)
            self._record.dead_share, self._record.saturated_share = shares

    def _measure_best(self) -> None:
        """Evaluate the best epoch's weights and leave them as an artifact.

        They replace the model's own, which nothing needs any more. A run of no iterations
        has but one state, which is then its best; one whose every epoch was non-finite
        has none.
        """
        member, record, best = self._member, self._record, self._best
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
        record.at_best = tuple(
            each.evaluate(self._task, member.model, iteration=epoch.iteration if epoch else 0)
            for each in member.evaluated_at_best
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

    def _evaluate(self, *, iteration: int) -> None:
        for each in self._member.evaluated:
            evaluation = each.evaluate(self._task, self._member.model, iteration=iteration)
            epoch = self._record.add_evaluation(evaluation)
            if self._best is not None and each.split == "val" and epoch > 0:
                self._best.see(evaluation, epoch=epoch, model=self._member.model)

    def _is_checkpoint_due(self) -> bool:
        return time.monotonic() - self._checkpoint_at >= self._checkpoint_seconds

    def _save(self, *, epochs_done: int) -> None:
        """A checkpoint, after the points it covers."""
        member, record = self._member, self._record
        record.curves.flush()
        progress = record.progress(epoch=epochs_done)
        content = pack(member.model, member.optimizer, progress, best=self._best)
        self._report.checkpoint(member.spec.trial, epochs_done, record.iterations, content)
        self._checkpoint_at = time.monotonic()
