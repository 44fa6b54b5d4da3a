"""What a finished run measured."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from recipes.trial import TrialCause, TrialState
from recipes.value import Number, Value


class Moments(Value):
    """Sum, sum of squares and count of a quantity over samples."""

    total: Number
    total_squares: Number
    n: int = Field(ge=0)

    @property
    def mean(self) -> float:
        """Mean over samples; NaN of none."""
        return self.total / self.n if self.n else math.nan

    @property
    def sd(self) -> float:
        """Standard deviation over samples (n - 1); NaN below two samples."""
        if self.n < 2:
            return math.nan
        variance = (self.total_squares - self.total * self.total / self.n) / (self.n - 1)
        return math.sqrt(variance) if variance > 0 else (0.0 if variance <= 0 else math.nan)

    @property
    def standard_error(self) -> float:
        """Standard error of the mean."""
        return self.sd / math.sqrt(self.n) if self.n else math.nan


class Evaluation(Value):
    """One pass over (a fixed sample of) a split in eval mode.

    ``metrics`` holds at least ``loss``. ``correct`` is a bitmap of which samples were
    right, base64 of packed bits in sample order, for paired tests; None where the kind
    has no right and wrong.
    """

    split: str
    iteration: int
    metrics: dict[str, Moments]
    correct: str | None = None

    @property
    def loss(self) -> Moments:
        """The loss per sample."""
        return self.metrics["loss"]


class LayerStatistics(Value):
    """One leaf layer of the untrained model, over the probe's samples, eval mode.

    ``zero_share`` and ``dead_share`` are meant for activation layers: the share of
    outputs that are exactly 0, and of units that are 0 for every sample. ``variation`` is
    the largest difference between an output and the first sample's: 0 where the input
    plays no part.
    ``saturated_share`` is the share of a sigmoid's or tanh's inputs beyond +-5.
    """

    name: str
    kind: str  # class name of the module
    mean: Number
    sd: Number
    zero_share: Number
    dead_share: Number
    saturated_share: Number | None = None
    variation: Number = 1.0


class GradientStatistics(Value):
    """One parameter tensor: norms of its weights and of its gradient on the probe's samples."""

    name: str
    weight_norm: Number
    gradient_norm: Number


class Initialisation(Value):
    """The model before its first iteration (probe ``initialisation``; at least 512 samples)."""

    loss: Moments
    output_sd: Number  # over samples and outputs, after each sample's mean is taken out
    output_spread: Number  # largest sd over samples of one output: 0 when the input plays no part
    penalty: Number  # half the sum of squared weights (times weight decay: its size in the loss)
    layers: tuple[LayerStatistics, ...]
    gradients: tuple[GradientStatistics, ...]


class ModeLosses(Value):
    """The mean loss of the same weights on the same training samples, by the model's mode.

    Nothing was switched off: dropout makes the loss in train mode higher, and batch norm
    uses the statistics of these samples there. Label smoothing and augmentation play no part.
    """

    train: Number
    eval: Number
    eval_again: Number  # the same pass once more: another value means randomness left on
    n: int = Field(ge=0)


class MemberOutcome(Value):
    """How one member of a job ended, and what it measured so far.

    With ``epochs`` in its run spec, the evaluations of a split are: before the first
    iteration, then one after each epoch; the first index is the epoch. Of those on ``val``
    only the best one's (by the task's objective) and the last one's keep ``correct``.

    Attributes:
        state: ``waiting`` when the run spec paused it at ``until_epoch``.
        cause: Why it ended; None while it waits.
        at_best: Evaluations with the best epoch's weights (``evaluate_at_best``).
        snapshot_epoch: The epoch whose weights were kept, if any.
        seconds: Of training and evaluating, all jobs of the trial together; of what it trained
            together with others its share. Measured, and never compared between studies.
        engine: How its last job trained it: alone, or together with others; None where the job
            ended without saying so.
        engine_reason: Why alone where its run spec asked for more, as a part of a sentence.
        num_together: How many its last job trained in one go when it began, itself included;
            None with ``engine``.
    """

    trial: int
    state: TrialState
    cause: TrialCause | None
    iterations: int = Field(ge=0, lt=2**31)  # done when it ended
    evaluations: tuple[Evaluation, ...] = ()
    at_best: tuple[Evaluation, ...] = ()
    snapshot_epoch: int | None = None
    initialisation: Initialisation | None = None
    sample_digest: str | None = None  # of the training samples' indices
    dead_share: Number | None = None  # largest share of dead units in a layer, at the end
    saturated_share: Number | None = None  # of a sigmoid's or tanh's inputs beyond +-5, likewise
    mode_losses: ModeLosses | None = None  # at the end of a run that was not stopped early
    switched_off: tuple[str, ...] = ()
    seconds: float = Field(ge=0)
    message: str | None = None  # why it failed, or what else of it could not be measured
    engine: Literal["plain", "fused"] | None = "plain"
    engine_reason: str | None = None
    num_together: int | None = Field(default=1, ge=1)

    def evaluation(self, split: str, *, last: bool = True) -> Evaluation | None:
        """The last (or first) evaluation on a split; None when there is none."""
        found = self.on(split)
        return found[-1 if last else 0] if found else None

    def on(self, split: str) -> list[Evaluation]:
        """All evaluations on a split, in order."""
        return [evaluation for evaluation in self.evaluations if evaluation.split == split]
