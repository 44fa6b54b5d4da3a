"""The training loop: a run spec's members trained one after another, from top to bottom.

Its fused twin, which trains members of equal form together, is ``worker.fused.loop``.

The train loss of iteration i is that of the batch before update i + 1: iteration 0 is
the untrained model's. A run that ends at iteration i has done i + 1 of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from recipes.curve import LEARNING_RATE
from recipes.outcome import MemberOutcome
from recipes.run import MemberSpec, RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.data import TaskData
from worker.describe.objective import objective
from worker.training.average import measure_average
from worker.training.best import Objective
from worker.training.checkpoint import Checkpoint, read_progress
from worker.training.failures import cause_of, describe_failure, has_lost_device
from worker.training.internals import InternalsSampler
from worker.training.member_run import MemberRun
from worker.training.metrics import AccuracyMeter
from worker.training.precision import in_precision
from worker.training.record import Record
from worker.training.reporting import Reporter
from worker.training.schedules import rate_factor
from worker.training.seeding import augmentation_seed, mask_seed, seed_everything

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
    Trainer(task, data, run, report, resume, snapshots, checkpoint_seconds).train_all()


@dataclass(frozen=True)
class Trainer:
    """What ``train`` was given: it trains a run's members, each by itself."""

    task: Task
    data: TaskData
    run: RunSpec
    report: Reporter
    resume: Mapping[int, Checkpoint]
    snapshots: Mapping[int, bytes]
    checkpoint_seconds: float

    def train_all(self) -> None:
        """Every member in turn, until the run is told to stop."""
        for spec in self.run.members:
            if not self.train(spec, self.record(spec)):
                return

    def record(self, spec: MemberSpec) -> Record:
        """A member's record, with what it measured before its checkpoint."""
        checkpoint = self.resume.get(spec.trial)
        progress = read_progress(checkpoint.content) if checkpoint else None
        decides = Objective(*objective(self.task))
        return Record(self.run, spec.trial, self.report, decides, progress=progress)

    def train(self, spec: MemberSpec, record: Record) -> bool:
        """Whether the member's outcome was reported; False when the run is told to stop."""
        try:
            outcome = self._outcome(spec, record)
        except Exception as error:
            # The task's own code runs in here: whatever it raises is this member's result, unless
            # the others can have none after it.
            if has_lost_device(error):
                raise
            outcome = record.close(cause_of(error), message=describe_failure(error))
        if outcome is None:
            return False
        self.report.outcome(outcome)
        return True

    def ready(self, spec: MemberSpec, record: Record) -> MemberRun:
        """A member with its model built, at its checkpoint, its snapshot or its own beginning.

        Raises:
            ValueError: Something in its spec, its checkpoint or its snapshot does not fit.
        """
        checkpoint = self.resume.get(spec.trial)
        start = self._snapshot(spec.snapshots[0]) if spec.snapshots and not checkpoint else None
        return MemberRun(
            self.task,
            self.data,
            self.run,
            spec,
            self.report,
            record,
            objective=Objective(*objective(self.task)),
            checkpoint=checkpoint,
            start=start,
            checkpoint_seconds=self.checkpoint_seconds,
        )

    def _outcome(self, spec: MemberSpec, record: Record) -> MemberOutcome | None:
        """None when the run is told to stop."""
        if len(spec.snapshots) > 1 and spec.trial not in self.resume:
            contents = [self._snapshot(trial) for trial in spec.snapshots]
            return measure_average(self.task, self.data, self.run, contents, record)
        member_run = self.ready(spec, record)
        return Loop(self.task, self.data, self.run, self.report, member_run).run_epochs()

    def _snapshot(self, trial: int) -> bytes:
        """The content of a trial's snapshot."""
        if trial not in self.snapshots:
            raise ValueError(f"snapshots: that of trial {trial} is missing; hand it to train")
        return self.snapshots[trial]


class _Iteration(NamedTuple):
    """One iteration's measurements, still on the device."""

    number: int
    loss: Tensor
    internals: Tensor | None
    lr: float | None  # where internals are sampled and it changes


class Loop:
    """The loop of one member and what it holds on to between its iterations."""

    def __init__(
        self, task: Task, data: TaskData, run: RunSpec, report: Reporter, member_run: MemberRun
    ) -> None:
        self._task = task
        self._device = data.device
        self._run = run
        self._report = report
        self._member_run = member_run
        self._member = member_run.member
        self._record = member_run.record
        self._internals = InternalsSampler.of(self._member.model)
        of_run = self._member.hyperparameters
        self._rate_changes = of_run.schedule != "constant" or of_run.warmup > 0
        self._accuracies = AccuracyMeter(task)
        self._uninspected: list[_Iteration] = []
        self._inspect_every = inspect_every(run)

    def run_epochs(self) -> MemberOutcome | None:
        """Train from an epoch's start to the end, or to the pause; None when told to stop."""
        member_run, member, record = self._member_run, self._member, self._record
        first = member_run.first_epoch
        if first == 0:
            member_run.measure_initialisation()
            member_run.evaluate(iteration=0)
        iteration = record.iterations
        for epoch in range(first, member_run.last_epoch):
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
                    return member_run.end(self._inspect() or TrialCause.EARLY_DISCARD)
                self._uninspected.append(self._iterate(iteration, indices, generator))
                iteration += 1
                if iteration % self._inspect_every == 0:
                    cause = self._inspect()
                    if cause is not None:
                        return member_run.end(cause)
            cause = self._inspect()
            if cause is not None:
                return member_run.end(cause)
            if self._run.epochs is not None:
                member_run.evaluate(iteration=iteration)
            if member_run.wants_checkpoint(epochs_done=epoch + 1):
                member_run.save(epochs_done=epoch + 1)
        has_ended = member_run.last_epoch == member.batches.num_epochs
        return member_run.end(TrialCause.FINISHED) if has_ended else member_run.pause()

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
        output = in_precision(self._task, member.model, inputs)
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


def inspect_every(run: RunSpec) -> int:
    """Iterations between looks at the losses.

    A run that ends when it has learned its sample ends on that iteration's weights.
    """
    return 1 if run.stop_if_loss_below is not None else INSPECT_EVERY
