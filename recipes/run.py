"""A job's run spec: everything a worker needs to know to train. It holds no method."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

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
    """

    trial: int
    params: dict[str, ParameterValue]
    seed: int
    data_seed: int


class RunSpec(Value):
    """How the members of one job are trained. Exactly one of epochs and iterations.

    Attributes:
        iterations: Optimiser steps; 0 measures the untrained model.
        regularisation: False switches off weight decay, dropout, label smoothing,
            augmentation and stochastic depth, as far as they can be seen from outside.
        evaluate: Splits evaluated before the first iteration, at every epoch's end
            (with ``epochs``), and at the end.
        evaluate_samples: Most samples of a split in one evaluation; the same ones each time.
        stop_if_loss_above: Train loss (running median of 5 iterations) that ends a member.
        stop_if_loss_below: Train loss that, with every sample of its batch right, for 5
            iterations in a row, ends a member as finished.
        internals_every: Iterations between samples of gradient norm and update ratio; None: never.
    """

    members: tuple[MemberSpec, ...] = Field(min_length=1)
    iterations: int | None = Field(default=None, ge=0)
    epochs: int | None = Field(default=None, ge=1)
    sample: Sample = Sample()
    regularisation: bool = True
    evaluate: tuple[str, ...] = ("val",)
    evaluate_samples: int = Field(default=2_000, ge=1)
    stop_if_non_finite: bool = True
    stop_if_loss_above: float | None = None
    stop_if_loss_below: float | None = None
    internals_every: int | None = Field(default=None, ge=1)
    probes: tuple[Probe, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> RunSpec:
        if (self.iterations is None) == (self.epochs is None):
            raise ValueError("give exactly one of iterations and epochs")
        return self


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
