"""The fused twin of the training loop: members of equal form trained together.

What it measures, when it looks and when it ends a member is as in ``worker.training.loop``.
The numbers agree with it up to rounding: sums over a batch are taken in another order.

Who trains beside a member changes no bit of its numbers, as far as ``docs/fused-training.md``
promises it. The number of rows is a multiple of BLOCK: torch's sums go through four rows at a
time and through the rest in another order. Linear layers are kept aligned
(``worker.fused.alignment``). And which way something is computed follows from the plan and
never from the members at hand. Rows that are left over are filled up with copies, whose results
nobody reads; so are, for a while, the rows of members that have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recipes.curve import LEARNING_RATE
from recipes.fusing import BLOCK
from recipes.run import RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.data import TaskData
from worker.fused.accuracies import MemberAccuracies
from worker.fused.batches import MemberBatches
from worker.fused.clock import SharedClock
from worker.fused.evaluation import evaluate_rows
from worker.fused.internals import MemberInternals
from worker.fused.team import Team
from worker.training.failures import cause_of, describe_failure, has_lost_device
from worker.training.internals import InternalsSampler
from worker.training.loop import inspect_every
from worker.training.member_run import MemberRun
from worker.training.reporting import Reporter
from worker.training.schedules import rate_factor

CROWD = 0.5
"""Share of the rows whose members have ended from which on they are cut off within an epoch."""


class _Iteration(NamedTuple):
    """One iteration's measurements of all rows, still on the device."""

    number: int
    losses: Tensor  # (K,)
    internals: Tensor | None  # (K, 4 + T)
    factors: Sequence[float]


class FusedLoop:
    """The loop of members of equal form, all at the same epoch.

    Args:
        member_runs: Of equal form; see ``worker.fused.form``.
        clock: That of their records.
        is_mapped: How their forward is run (``worker.fused.admission.Admitted``).
    """

    def __init__(
        self,
        task: Task,
        data: TaskData,
        run: RunSpec,
        report: Reporter,
        member_runs: Sequence[MemberRun],
        clock: SharedClock,
        *,
        is_mapped: bool,
    ) -> None:
        self._task = task
        self._data = data
        self._run = run
        self._report = report
        self._clock = clock
        num_filled = -len(member_runs) % BLOCK
        self._rows = [*member_runs, *[member_runs[-1]] * num_filled]
        # Rows of members that have, and rows that only fill up.
        self._ended = set(range(len(member_runs), len(self._rows)))
        members = [each.member for each in self._rows]
        self._schedules = [_schedule(each) for each in self._rows]
        self._team = Team.of(task, members, is_mapped=is_mapped)
        self._internals = MemberInternals(self._team.stack)
        self._names = InternalsSampler.of(members[0].model)
        self._batches = MemberBatches(members, data.device, shares_order=run.is_order_shared)
        self._accuracies = MemberAccuracies(task)
        self._uninspected: list[_Iteration] = []
        self._inspect_every = inspect_every(run)

    def run_epochs(self) -> bool:
        """Train from their epoch's start to the ends, or to the pause.

        Returns:
            Whether every member's outcome was reported; False when told to stop.
        """
        first = self._rows[0]
        if first.first_epoch == 0:
            for _, each in self._active():
                each.measure_initialisation()
            self._evaluate(iteration=0)
        iteration = first.record.iterations
        for epoch in range(first.first_epoch, first.last_epoch):
            self._begin_epoch(epoch)
            for positions in self._batches.of_epoch(epoch):
                if self._report.stopping():
                    self._inspect()
                    self._flush()
                    return False
                self._drop()
                if not self._active():
                    return True
                self._uninspected.append(self._iterate(iteration, positions))
                iteration += 1
                if iteration % self._inspect_every == 0:
                    self._inspect()
                    if len(self._ended) > CROWD * len(self._rows):
                        self._cut_off()
            self._inspect()
            self._cut_off()
            if not self._active():
                return True
            if self._run.epochs is not None:
                self._evaluate(iteration=iteration)
            self._save(epochs_done=epoch + 1)
        self._finish()
        return True

    def _active(self) -> list[tuple[int, MemberRun]]:
        """The rows whose members still train."""
        return [pair for pair in enumerate(self._rows) if pair[0] not in self._ended]

    def _begin_epoch(self, epoch: int) -> None:
        self._team.masks.seed([each.member.spec.seed for each in self._rows], epoch=epoch)
        self._batches.begin_epoch(epoch)

    def _iterate(self, iteration: int, positions: Sequence[Tensor]) -> _Iteration:
        """One optimiser step of every row."""
        team = self._team
        inputs, target, is_shared = self._batches.batch(positions)
        factors = self._factors(iteration)
        losses, outputs = team.forward.train(inputs, target, is_shared=is_shared)
        team.backward(losses)
        every = self._run.internals_every
        is_sampled = every is not None and iteration % every == 0
        if is_sampled:
            self._internals.before_step()
        team.step(factors)
        self._accuracies.add(outputs, target, is_shared=is_shared)
        internals = self._internals.after_step() if is_sampled else None
        return _Iteration(iteration, losses.detach(), internals, factors)

    def _factors(self, iteration: int) -> list[float]:
        """The schedules' factors on the rows' learning rates; rows that share one ask once."""
        found: dict[tuple[str, float, int], float] = {}
        for schedule, warmup, num_iterations in dict.fromkeys(self._schedules):
            found[schedule, warmup, num_iterations] = rate_factor(
                schedule, iteration=iteration, num_iterations=num_iterations, warmup=warmup
            )
        return [found[each] for each in self._schedules]

    def _inspect(self) -> None:
        """Bring the waiting measurements in, and end the members that end with one of them."""
        waiting, self._uninspected = self._uninspected, []
        if not waiting:
            return
        losses = torch.stack([each.losses for each in waiting]).tolist()
        scored = self._accuracies.read()
        shares: Sequence[Sequence[float | None]] = (
            scored if scored is not None else [[None] * len(self._rows)] * len(waiting)
        )
        internals = [None if i.internals is None else i.internals.tolist() for i in waiting]
        for row, each in self._active():
            of_run = each.member.hyperparameters
            changes = of_run.schedule != "constant" or of_run.warmup > 0
            for at, measured in enumerate(waiting):
                values = internals[at]
                named = {} if values is None else self._names.named(values[row])
                if values is not None and changes:
                    named[LEARNING_RATE] = of_run.optimizer.lr * measured.factors[row]
                cause = each.record.add_iteration(
                    measured.number, losses[at][row], shares[at][row], named
                )
                if cause is not None:
                    self._end(row, cause)
                    break
            else:
                each.record.curves.flush_when_due()

    def _drop(self) -> None:
        """End the members that are no longer wanted."""
        unwanted = [
            row for row, each in self._active() if self._report.dropped(each.member.spec.trial)
        ]
        if unwanted:
            self._inspect()
        for row in unwanted:
            if row not in self._ended:
                self._end(row, TrialCause.EARLY_DISCARD)

    def _end(self, row: int, cause: TrialCause) -> None:
        each = self._rows[row]
        self._team.write_to(row, each.member)
        try:
            outcome = each.end(cause)
        except Exception as error:
            # The task's own code runs in there: what it raises is this member's result. But
            # that there is no room for it is the others' doing.
            cause = cause_of(error)
            is_others = cause is TrialCause.OUT_OF_MEMORY and len(self._rows) > 1
            if is_others or has_lost_device(error):
                raise
            outcome = each.record.close(cause, message=describe_failure(error))
        self._report.outcome(outcome)
        self._ended.add(row)
        self._clock.leave()

    def _cut_off(self) -> None:
        """Take the rows of ended members out, but for those that fill a block up."""
        active = [row for row, _ in self._active()]
        kept = sorted([*active, *sorted(self._ended)[: -len(active) % BLOCK]])
        if not active or len(kept) == len(self._rows):
            return
        self._ended = {at for at, row in enumerate(kept) if row in self._ended}
        self._rows = [self._rows[row] for row in kept]
        self._schedules = [self._schedules[row] for row in kept]
        self._team.keep(kept)
        self._batches.keep(kept)

    def _evaluate(self, *, iteration: int) -> None:
        active = self._active()
        rows = [row for row, _ in active]
        for split in self._rows[0].member.evaluated:
            evaluations = evaluate_rows(
                self._task, self._team.stack, rows, split, iteration=iteration
            )
            for (row, each), evaluation in zip(active, evaluations, strict=True):

                def copied(row: int = row) -> dict[str, Tensor]:
                    return self._team.stack.copy_of(row)

                each.take(evaluation, copied=copied)

    def _save(self, *, epochs_done: int) -> None:
        """All at the same epoch's end, so that after a kill they go on together."""
        active = self._active()
        if not any(each.wants_checkpoint(epochs_done=epochs_done) for _, each in active):
            return
        for row, each in active:
            self._team.write_to(row, each.member, with_optimizer=True)
            each.save(epochs_done=epochs_done)

    def _finish(self) -> None:
        """All that are left have reached the end, or the pause."""
        first = self._active()[0][1]
        has_ended = first.last_epoch == first.member.batches.num_epochs
        if has_ended and not first.record.evaluated_at(first.record.iterations):
            self._evaluate(iteration=first.record.iterations)
        for row, each in self._active():
            if has_ended:
                self._end(row, TrialCause.FINISHED)
            else:
                self._team.write_to(row, each.member)
                self._report.outcome(each.pause())

    def _flush(self) -> None:
        for _, each in self._active():
            each.record.curves.flush()


def _schedule(member_run: MemberRun) -> tuple[str, float, int]:
    """What the factor on a member's learning rate follows from, with the iteration."""
    of_run = member_run.member.hyperparameters
    return of_run.schedule, of_run.warmup, member_run.member.batches.num_iterations
