"""A job's run spec: everything a worker needs to know to train. It holds no method."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from recipes.memory_format import MemoryFormatName
from recipes.space import ParameterValue
from recipes.value import Value


class Probe(StrEnum):
    """A measurement on the live model beside its curves."""

    INITIALISATION = "initialisation"  # the state before the first iteration


class Sample(Value):
    """Which training samples a run sees. A subset is stratified and drawn by ``seed``."""

    num_samples: int | None = Field(default=None, ge=2)  # None: all
    seed: int = 0
    zero_inputs: bool = False  # inputs replaced by zeros, targets kept


class MemberSpec(Value):
    """One trial of a job.

    Attributes:
        trial: The trial's number in its study.
        params: One value for every name of the space, and for trainer's own names.
        seed: Draws initial weights and random masks, with the epoch.
        data_seed: Draws the batch order, with the epoch. Members with the same one
            see the same batches (common random numbers).
        snapshots: Trials whose best snapshots the member uses. One: it starts from that
            trial's weights. Several: it is not trained; its output is the average of their
            predictions (probabilities where the kind has them, else outputs).
    """

    trial: int
    params: dict[str, ParameterValue]
    seed: int
    data_seed: int
    snapshots: tuple[int, ...] = ()


class RunSpec(Value):
    """How the members of one job are trained. Exactly one of epochs and iterations.

    Attributes:
        iterations: Optimiser steps; 0 measures the untrained model (or the snapshots).
        epochs: The run's whole length: schedules are laid over it.
        until_epoch: Where to pause (successive halving): the members stop after this epoch
            with a checkpoint and the state ``waiting``; a later job goes on from there.
        keep_snapshot: Keep the weights of the epoch that was best by the task's objective
            on ``val``, and leave them as an artifact.
        regularisation: False switches off weight decay, dropout, label smoothing,
            augmentation and stochastic depth, as far as they can be seen from outside.
        evaluate: Splits evaluated before the first iteration, at every epoch's end
            (with ``epochs``), and at the end.
        evaluate_samples: Most samples of a split in one evaluation; the same ones each time.
        evaluate_at_best: Splits evaluated once, whole, at the end, with the best epoch's
            weights. The test split is only ever looked at here.
        stop_if_loss_above: Train loss (running median of 5 iterations) that ends a member.
        stop_if_loss_below: Train loss that, with every sample of its batch right, for 5
            iterations in a row, ends a member as finished.
        internals_every: Iterations between samples of gradient norm and update ratio; None: never.
        fuse: Most members trained together in one go; 1: one after another. A result depends on
            it within float32's rounding alone.
        fuse_parameters: Models with more parameters train one after another; None: none do.
        shares_order: Whether those planned to train together all see the same batches, which
            decides how they are computed. That of the plan, for members may have ended since;
            None: not known, and ``is_order_shared`` goes by the members.
        memory_format: How the models' convolutions lie in memory.
    """

    members: tuple[MemberSpec, ...] = Field(min_length=1)
    iterations: int | None = Field(default=None, ge=0)
    epochs: int | None = Field(default=None, ge=1)
    until_epoch: int | None = Field(default=None, ge=1)
    sample: Sample = Sample()
    regularisation: bool = True
    evaluate: tuple[str, ...] = ("val",)
    evaluate_samples: int = Field(default=2_000, ge=1)
    stop_if_non_finite: bool = True
    stop_if_loss_above: float | None = None
    stop_if_loss_below: float | None = None
    internals_every: int | None = Field(default=None, ge=1)
    probes: tuple[Probe, ...] = ()
    keep_snapshot: bool = False
    evaluate_at_best: tuple[str, ...] = ()
    fuse: int = Field(default=1, ge=1)
    fuse_parameters: int | None = Field(default=None, ge=1)
    shares_order: bool | None = None
    memory_format: MemoryFormatName = "contiguous"

    @model_validator(mode="after")
    def _check(self) -> RunSpec:
        if (self.iterations is None) == (self.epochs is None):
            raise ValueError("give exactly one of iterations and epochs")
        if self.until_epoch is not None and self.until_epoch > (self.epochs or 0):
            raise ValueError("until_epoch is at most epochs")
        if self.iterations != 0 and any(len(each.snapshots) > 1 for each in self.members):
            raise ValueError("an average of snapshots is not trained: give iterations=0")
        if self.shares_order and len(self._data_seeds) > 1:
            raise ValueError("members that share their order have one data_seed")
        return self

    @property
    def is_order_shared(self) -> bool:
        """Whether members that train together share their batches."""
        return len(self._data_seeds) == 1 if self.shares_order is None else self.shares_order

    @property
    def _data_seeds(self) -> set[int]:
        return {each.data_seed for each in self.members}


class JobKind(StrEnum):
    """What a job asks of a worker."""

    DESCRIBE = "describe"
    TRAIN = "train"


class TaskRef(Value):
    """Where a task is found: ``digits``, ``package.module:Class`` or ``/path/file.py:Class``."""

    path: str
    args: dict[str, ParameterValue] = Field(default_factory=dict)


class Job(Value):
    """One unit of dispatch, as a worker gets it."""

    kind: JobKind
    task: TaskRef
    digest: str | None = None
    """The task's code as the study described it: a worker trains no other."""
    run: RunSpec | None = None

    @model_validator(mode="after")
    def _check(self) -> Job:
        if (self.kind is JobKind.TRAIN) == (self.run is None):
            raise ValueError("a train job has a run spec, a describe job has none")
        return self
