"""The training loop: a run spec's members trained one after another, from top to bottom.

A member is a group of one. What groups need, one optimiser over a leading member axis,
is in ``worker.training.member_optimizers``.

The train loss of iteration i is that of the batch before update i + 1: iteration 0 is
the untrained model's. A run that ends at iteration i has done i + 1 of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from recipes.outcome import MemberOutcome
from recipes.run import MemberSpec, Probe, RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.data import TaskData
from worker.training.checkpoint import Checkpoint, pack, read_progress, restore
from worker.training.evaluation import evaluate
from worker.training.failures import cause_of, describe_failure
from worker.training.internals import InternalsSampler
from worker.training.member import Member, make_member
from worker.training.probes import dead_share, measure_initialisation
from worker.training.record import Record
from worker.training.reporting import Reporter
from worker.training.schedules import rate_factor
from worker.training.seeding import augmentation_seed, mask_seed, seed_everything

INSPECT_EVERY = 10
"""Iterations between looks at the losses. A look waits for the device; what happened after
the iteration that ends a run is thrown away, so the result does not depend on this."""

NO_CHECKPOINTS: Mapping[int, Checkpoint] = MappingProxyType({})


def train(
    task: Task,
    data: TaskData,
    run: RunSpec,
    report: Reporter,
    *,
    resume: Mapping[int, Checkpoint] = NO_CHECKPOINTS,
    checkpoint_seconds: float = 30.0,
) -> None:
    """Train the members of a run, and report points, checkpoints and one outcome each.

    Divergence is an outcome, and so is an error in the task's code; the other members
    still run. When ``report.stopping()`` turns true it returns at once, without an
    outcome for the members that have not ended.

    Args:
        resume: Checkpoints by trial number; such a member goes on from there, and ends
            with the weights and points of the uninterrupted run, bit by bit.
        checkpoint_seconds: Least time between checkpoints, taken at an epoch's end when
            epochs remain; 0: at every one.
    """
    for spec in run.members:
        outcome = _train_member(
            task, data, run, spec, report, resume.get(spec.trial), checkpoint_seconds
        )
        if outcome is None:
            return
        report.outcome(outcome)


def _train_member(
    task: Task,
    data: TaskData,
    run: RunSpec,
    spec: MemberSpec,
    report: Reporter,
    checkpoint: Checkpoint | None,
    checkpoint_seconds: float,
) -> MemberOutcome | None:
    """One member's outcome; None when the run is told to stop."""
    progress = read_progress(checkpoint.content) if checkpoint else None
    record = Record(run, spec.trial, report, progress=progress)
    try:
        member = make_member(task, data, run, spec)
        if checkpoint is not None:
            restore(checkpoint.content, member.model, member.optimizer)
        record.begin(
            num_iterations=member.batches.num_iterations,
            sample_digest=member.sample.digest,
            switched_off=member.switched_off,
        )
        loop = _Loop(task, data, run, report, member, record, checkpoint_seconds)
        cause = loop.run_epochs(first_epoch=checkpoint.epoch if checkpoint else 0)
    except Exception as error:
        # The task's own code runs in here: whatever it raises is this member's result.
        return record.close(cause_of(error), message=describe_failure(error))
    return None if cause is None else record.close(cause)


class _Iteration(NamedTuple):
    """One iteration's measurements, still on the device."""

    number: int
    loss: Tensor
    accuracy: Tensor | None
    internals: Tensor | None


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
        checkpoint_seconds: float,
    ) -> None:
        self._task = task
        self._device = data.device
        self._run = run
        self._report = report
        self._member = member
        self._record = record
        self._checkpoint_seconds = checkpoint_seconds
        self._checkpoint_at = time.monotonic()
        self._internals = InternalsSampler.of(member.model)
        self._uninspected: list[_Iteration] = []
        # A run that ends when it has learned its sample ends on that iteration's weights.
        self._inspect_every = 1 if run.stop_if_loss_below is not None else INSPECT_EVERY

    def run_epochs(self, *, first_epoch: int) -> TrialCause | None:
        """Train from an epoch's start to the end; why it ended, None when told to stop."""
        member, record, run = self._member, self._record, self._run
        if first_epoch == 0:
            if Probe.INITIALISATION in run.probes:
                record.initialisation = measure_initialisation(
                    self._task, member.model, member.sample
                )
            self._evaluate(iteration=0)
        iteration = record.iterations
        for epoch in range(first_epoch, member.batches.num_epochs):
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
                    cause = self._inspect()
                    return self._end(cause) if cause else TrialCause.EARLY_DISCARD
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
            self._save_when_due(epochs_done=epoch + 1)
        return self._end(TrialCause.FINISHED)

    def _iterate(self, iteration: int, indices: Tensor, generator: torch.Generator) -> _Iteration:
        """One optimiser step."""
        member = self._member
        hyperparameters, optimizer = member.hyperparameters, member.optimizer
        batch = member.sample.batch(indices)
        if member.augment is not None:
            batch = member.augment(batch, generator)
        inputs, target = batch
        optimizer.set_rate_factor(
            rate_factor(
                hyperparameters.schedule,
                iteration=iteration,
                num_iterations=member.batches.num_iterations,
                warmup=hyperparameters.warmup,
            )
        )
        output = member.model(inputs)
        loss = member.loss(output, target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        every = self._run.internals_every
        is_sampled = every is not None and iteration % every == 0
        if is_sampled:
            self._internals.before_step()
        if hyperparameters.grad_clip:
            clip_grad_norm_(member.model.parameters(), hyperparameters.grad_clip)
        optimizer.step()
        return _Iteration(
            iteration,
            loss.detach(),
            member.accuracy(output, target) if member.accuracy else None,
            self._internals.after_step() if is_sampled else None,
        )

    def _inspect(self) -> TrialCause | None:
        """Bring the waiting measurements in, in order, up to the one that ends the run."""
        waiting, self._uninspected = self._uninspected, []
        if not waiting:
            return None
        losses = torch.stack([each.loss for each in waiting]).tolist()
        accuracies = [each.accuracy for each in waiting if each.accuracy is not None]
        shares = torch.stack(accuracies).tolist() if accuracies else [None] * len(waiting)
        for each, loss, share in zip(waiting, losses, shares, strict=True):
            internals = each.internals
            named = {} if internals is None else self._internals.named(internals.tolist())
            cause = self._record.add_iteration(each.number, loss, share, named)
            if cause is not None:
                return cause
        self._record.curves.flush_when_due()
        return None

    def _end(self, cause: TrialCause) -> TrialCause:
        """The last measurements. A diverged model is not evaluated: its loss said it."""
        member, record = self._member, self._record
        if cause is TrialCause.FINISHED and not record.evaluated_at(record.iterations):
            self._evaluate(iteration=record.iterations)
        if self._run.internals_every is not None:
            record.dead_share = dead_share(member.model, member.sample)
        return cause

    def _evaluate(self, *, iteration: int) -> None:
        for split, samples, indices in self._member.evaluated:
            self._record.add_evaluation(
                evaluate(
                    self._task,
                    self._member.model,
                    samples,
                    indices.to(self._device),
                    split=split,
                    iteration=iteration,
                )
            )

    def _save_when_due(self, *, epochs_done: int) -> None:
        """A checkpoint, if epochs remain and the last one is old enough."""
        member, record = self._member, self._record
        now = time.monotonic()
        is_last = epochs_done >= member.batches.num_epochs
        if is_last or now - self._checkpoint_at < self._checkpoint_seconds:
            return
        record.curves.flush()
        content = pack(member.model, member.optimizer, record.progress(epoch=epochs_done))
        self._report.checkpoint(member.spec.trial, epochs_done, record.iterations, content)
        self._checkpoint_at = now
