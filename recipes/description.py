"""What ``describe`` measures of a task: shapes, splits, and the static checks' numbers.

The worker measures, the rules judge: nothing here is a verdict.
"""

from __future__ import annotations

from typing import Literal

from recipes.fusing import NOT_MEASURED, Fusing
from recipes.memory_format import MemoryFormat
from recipes.space import SearchSpace
from recipes.task import Kind
from recipes.value import Number, Value


class SplitDescription(Value):
    """One split of the data. ``made`` means cut from the training data by us.

    ``input_mean`` and ``input_sd`` are over the finite values of at most the first 20,000
    samples; None where the inputs are whole numbers (tokens, say) or nothing is finite.
    """

    name: Literal["train", "val", "test"]
    num_samples: int
    origin: Literal["task", "made"]
    num_non_finite: int = 0  # samples with a non-finite value in their inputs or targets
    num_out_of_range: int = 0  # samples with a target the loss cannot score
    input_mean: float | None = None
    input_sd: float | None = None

    @property
    def adjective(self) -> str:
        """What sentences call its samples."""
        return {"train": "training", "val": "validation", "test": "test"}[self.name]


class InputDescription(Value):
    """The training inputs. Non-finite values are sought in every sample that is held in
    memory (``num_looked_at``), the statistics are over at most the first 20,000.
    """

    shape: tuple[int, ...]  # of one sample
    dtype: str
    num_looked_at: int
    mean: Number  # over the finite values
    sd: Number
    low: Number
    high: Number
    feature_sd_ratio: (
        Number  # largest over smallest sd of a channel or feature; constant ones left out
    )
    num_constant_features: int
    num_non_finite: int  # samples that hold a non-finite value
    first_non_finite: int | None  # index of the first such sample


class TargetDescription(Value):
    """The training targets."""

    shape: tuple[int, ...]
    dtype: str
    low: Number
    high: Number
    mean: Number
    variance: Number
    class_counts: tuple[int, ...] = ()  # classification: of classes 0..C-1
    entropy: Number | None = None  # nats, of the label distribution; classification and binary
    num_out_of_range: int = 0
    first_out_of_range: int | None = None
    num_non_finite: int = 0
    first_non_finite: int | None = None


class OverlapDescription(Value):
    """Identical samples, found by hashing them."""

    train_val: int = 0  # validation samples whose inputs also stand in train
    conflicting: int = 0  # training samples whose inputs stand there with another target too
    within_train: int = 0  # training samples whose inputs stand there more than once


class ParameterDescription(Value):
    """One parameter tensor after one backward pass."""

    name: str
    shape: tuple[int, ...]
    trainable: bool
    reached: bool  # the gradient is there and not all zero
    registered: bool = True  # among model.parameters(), so an optimiser sees it


class OutputDescription(Value):
    """The model's outputs for a small batch, in eval mode."""

    shape: tuple[int, ...]  # of one sample
    rows_sum_to_one: bool  # all in [0, 1], every row's sum within 1e-3 of 1
    in_unit_interval: bool
    stays_in_unit_interval: bool = False  # with all weights a hundred times as large, too
    never_negative: bool = False
    stays_non_negative: bool = False  # under other weights, drawn at random, too
    zero_share: Number = 0.0  # of all outputs, those that are exactly 0
    mixes_batch: bool  # output i depends on input j
    loss_is_cross_entropy: bool  # the task's loss equals softmax cross-entropy on the outputs
    loss_ratio_when_doubled: Number | None  # loss(2B) / loss(B) on the same samples twice
    train_passes_differ: bool  # two train-mode passes with modules' own dropout off still differ
    mode_difference: Number = 0.0  # between train and eval mode, in sds, dropout off
    gradient_growth: Number | None = None  # of the same gradient again, cleared in between
    penalty: Number = 0.0  # the part of a task's own loss that vanishes with the weights
    penalty_growth: Number = 0.0  # what that part gains when all weights grow by a tenth


class RegularisationDescription(Value):
    """What "regularisation off" switches off, and what it cannot reach."""

    switched_off: tuple[str, ...] = ()
    left_on: tuple[str, ...] = ()


class TaskProblem(Value):
    """Why a task cannot be used: where, what and the cure."""

    message: str
    file: str | None = None
    line: int | None = None
    cure: str
    traceback: str | None = None

    @property
    def where(self) -> str:
        """``file:line: `` to put before the message; without what is not known."""
        line = "" if self.line is None else f"{self.line}:"
        return f"{self.file}:{line} " if self.file else ""


class TaskDescription(Value):
    """Everything the recipe needs to know of a task before the first run."""

    name: str
    kind: Kind
    num_classes: int | None
    metric: str
    direction: Literal["maximize", "minimize"]
    space: SearchSpace
    has_space: bool  # False: the default space
    expected_initial_loss: Number | None
    ignore_index: int | None
    own_loss: bool = False  # the task defines loss(): its kind's formula may not hold
    default_batch_size: int
    default_optimizer: str
    splits: tuple[SplitDescription, ...]
    inputs: InputDescription
    targets: TargetDescription
    overlap: OverlapDescription
    num_parameters: int
    parameters: tuple[ParameterDescription, ...]
    has_batch_norm: bool
    batch_norm_momentum: Number | None = None  # the smallest; of norms with running statistics
    outputs: OutputDescription | None  # None when the batch could not be scored (see loss_error)
    loss_error: str | None
    regularisation: RegularisationDescription
    digest: str  # of the task's code
    device: str
    fusing: Fusing = Fusing(chunk=1, reason=NOT_MEASURED)  # one of an older release has none
    memory_format: MemoryFormat = MemoryFormat()

    @property
    def how_trained(self) -> str:
        """How the study's trials train, and why so: sentences."""
        return f"{self.fusing.sentence} {self.memory_format.sentence}".rstrip()

    def split(self, name: str) -> SplitDescription:
        """The split of that name. Raises KeyError when there is none."""
        for split in self.splits:
            if split.name == name:
                return split
        raise KeyError(name)
