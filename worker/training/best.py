"""Which epoch was best, and its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from recipes.outcome import Evaluation
from recipes.value import Value
from worker.describe.objective import Direction


@dataclass(frozen=True, slots=True)
class Objective:
    """What decides between two epochs."""

    metric: str
    direction: Direction

    def score(self, evaluation: Evaluation) -> float:
        """The metric, turned so that larger is better; -infinity when it is not finite."""
        moments = evaluation.metrics.get(self.metric)
        value = math.nan if moments is None else moments.mean
        if not math.isfinite(value):
            return -math.inf
        return value if self.direction == "maximize" else -value

    def best_epoch(self, evaluations: Sequence[Evaluation]) -> int | None:
        """The index of the best of them; of equal ones the first.

        Args:
            evaluations: Of one split: before the first iteration, then after each epoch.

        Returns:
            1 or more: the untrained model does not count. None when nothing is finite.
        """
        scores = [self.score(each) for each in evaluations[1:]]
        best = max(scores, default=-math.inf)
        return None if best == -math.inf else 1 + scores.index(best)


class BestEpoch(Value):
    """The epoch whose weights are kept. ``score`` is its objective's (larger is better)."""

    epoch: int
    iteration: int
    score: float


@dataclass
class BestWeights:
    """Keeps the weights of the best epoch seen, on the CPU.

    Attributes:
        objective: What decides.
        epoch: The best one so far; None before the first one with a finite score.
        weights: The model's tensors then, by name.
    """

    objective: Objective
    epoch: BestEpoch | None = None
    weights: Mapping[str, Tensor] = field(default_factory=dict)

    def see(
        self, evaluation: Evaluation, *, epoch: int, copied: Callable[[], Mapping[str, Tensor]]
    ) -> None:
        """Take a validation after ``epoch`` epochs in.

        Args:
            evaluation: Of the model as it is.
            epoch: Epochs done.
            copied: Copies its tensors, where it is the best so far.
        """
        score = self.objective.score(evaluation)
        if score > (-math.inf if self.epoch is None else self.epoch.score):
            self.epoch = BestEpoch(epoch=epoch, iteration=evaluation.iteration, score=score)
            self.weights = copied()
