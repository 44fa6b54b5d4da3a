"""A run spec's members trained: together where they are of one form, else one by one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from recipes.fusing import even_parts
from recipes.run import MemberSpec, RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.batches import BatchPlan
from worker.data.data import TaskData
from worker.fused.admission import Admission, Admitted, check_group
from worker.fused.clock import SharedClock
from worker.fused.form import form_of
from worker.fused.loop import FusedLoop
from worker.fused.masks import member_rates
from worker.fused.refusal import NotFusable
from worker.fused.task_state import changed, kept_by
from worker.training.checkpoint import Checkpoint
from worker.training.failures import cause_of, describe_failure, has_lost_device
from worker.training.loop import NO_CHECKPOINTS, NO_SNAPSHOTS, Trainer
from worker.training.member_run import MemberRun
from worker.training.reporting import Reporter


def train_together(
    task: Task,
    data: TaskData,
    run: RunSpec,
    report: Reporter,
    *,
    admission: Admission,
    resume: Mapping[int, Checkpoint] = NO_CHECKPOINTS,
    snapshots: Mapping[int, bytes] = NO_SNAPSHOTS,
    checkpoint_seconds: float = 30.0,
) -> None:
    """``worker.training.loop.train`` with up to ``run.fuse`` members at a time.

    Members that cannot train together are trained one by one, and their outcomes say why.
    An error of the task's own code while members train together is raised: whose result it
    is cannot be told, so who asked trains them one by one.

    Args:
        admission: What is known of forms already; it is added to.
    """
    trainer = Trainer(task, data, run, report, resume, snapshots, checkpoint_seconds)
    if run.fuse == 1 or run.iterations == 0:
        return trainer.train_all()
    groups = _Groups(trainer, admission)
    ready, keeps = groups.ready()
    for form, group in _groups(ready, most=run.fuse):
        if not groups.train(form, group, keeps=keeps):
            return


@dataclass(frozen=True)
class _Groups:
    """Trains the groups of a run, each together where it is admitted."""

    alone: Trainer
    admission: Admission

    def ready(self) -> tuple[list[MemberRun], str | None]:
        """The members that can be built; the others' outcomes say why they cannot.

        And the attribute of the task that holds something else after one than after another.
        """
        task, members = self.alone.task, self.alone.run.members
        found, kept = [], []
        for spec in members:
            record = self.alone.record(spec)
            try:
                found.append(self.alone.ready(spec, record))
            except Exception as error:
                # The task's own code runs in here: what it raises is this member's result. But
                # that there is no room for one more is the others' doing.
                cause = cause_of(error)
                is_others = cause is TrialCause.OUT_OF_MEMORY and len(members) > 1
                if is_others or has_lost_device(error):
                    raise
                self.alone.report.outcome(record.close(cause, message=describe_failure(error)))
            kept.append(kept_by(task))
        differing = (changed(kept[0], each) for each in kept)
        return found, next((name for name in differing if name is not None), None)

    def train(self, form: Form, group: list[MemberRun], *, keeps: str | None) -> bool:
        """Whether every outcome was reported; False when told to stop."""
        try:
            if keeps is not None:
                raise NotFusable(f"the task keeps {keeps} of the trial it made a model for last")
            admitted, most = self._admitted(form, group)
        except NotFusable as refused:
            specs = [each.member.spec for each in group]
            group.clear()  # their models: only the one that trains need be there
            return all(self._train_alone(spec, reason=str(refused)) for spec in specs)
        parts = [[group[at] for at in part] for part in even_parts(range(len(group)), most)]
        return all(self._train_together(part, admitted) for part in parts)

    def _train_together(self, group: Sequence[MemberRun], admitted: Admitted) -> bool:
        clock = SharedClock(len(group))
        for each in group:
            each.record.use_clock(clock)
            each.record.engine = "fused"
            each.record.num_together = len(group)
        alone = self.alone
        return FusedLoop(
            alone.task,
            alone.data,
            alone.run,
            alone.report,
            group,
            clock,
            is_mapped=admitted.is_mapped,
        ).run_epochs()

    def _train_alone(self, spec: MemberSpec, *, reason: str) -> bool:
        """Built anew: a task may remember the model that it made last."""
        record = self.alone.record(spec)
        record.engine_reason = reason
        return self.alone.train(spec, record)

    def _admitted(self, form: Form, group: Sequence[MemberRun]) -> tuple[Admitted, int]:
        """How a group trains together, and how many of it fit at a time.

        Raises:
            NotFusable: It does not.
        """
        task, run = self.alone.task, self.alone.run
        if form.refusal is not None:
            raise NotFusable(form.refusal)
        members = [each.member for each in group]
        models = [each.model for each in members]
        size = sum(each.numel() for each in members[0].model.parameters())
        most = run.fuse_parameters
        if most is not None and size > most:
            raise NotFusable(f"models of {size:,} parameters train faster one by one here")
        # One alone was to have company, or lost it: it trains with copies of itself beside it.
        shares_order = run.is_order_shared
        key = (
            form.model,
            form.optimizer,
            form.batches.batch_size,
            form.is_augmented,
            shares_order,
            tuple(any(rates.of_members) for rates in member_rates(models).values()),
        )
        admitted = self.admission.ask(task, members, form=key, shares_order=shares_order)
        check_group(task, members)
        room = self.admission.room
        return admitted, room.most(task, members, form=key, is_mapped=admitted.is_mapped)


def _groups(ready: list[MemberRun], *, most: int) -> Iterator[tuple[Form, list[MemberRun]]]:
    """Members of one form, evenly cut to at most so many, in their order.

    Args:
        ready: Emptied, so that models go when whoever takes a group lets go of them.
        most: In a group.
    """
    by_form: dict[Form, list[MemberRun]] = {}
    for each in ready:
        by_form.setdefault(Form.of(each), []).append(each)
    ready.clear()
    for form in list(by_form):
        left = by_form.pop(form)
        size = math.ceil(len(left) / math.ceil(len(left) / most))
        while left:
            group, left = left[:size], left[size:]
            yield form, group


@dataclass(frozen=True, slots=True)
class Form:
    """Equal for members that go through the same iterations with the same operations.

    Attributes:
        model: Its form; None where that cannot be told.
        refusal: Why it cannot.
    """

    model: Hashable
    refusal: str | None
    first_epoch: int
    batches: BatchPlan
    optimizer: tuple[str, bool]
    is_augmented: bool

    @classmethod
    def of(cls, member_run: MemberRun) -> Form:
        """A member's."""
        member = member_run.member
        optimizer = member.hyperparameters.optimizer
        model, refusal = None, None
        try:
            model = form_of(member.model)
        except NotFusable as refused:
            refusal = str(refused)
        return cls(
            model,
            refusal,
            member_run.first_epoch,
            member.batches,
            (optimizer.name, optimizer.nesterov),
            member.augment is not None,
        )
