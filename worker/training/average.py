"""Several models as one: the average of their predictions, and a member that is one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.outcome import MemberOutcome
from recipes.run import RunSpec
from recipes.task import Task
from recipes.trial import TrialCause
from worker.data.batches import TrainingSample
from worker.data.data import TaskData
from worker.training.at_best import look_at_best
from worker.training.losses import has_own_loss
from worker.training.member import evaluated_splits
from worker.training.record import Record
from worker.training.snapshot import rebuild


def measure_average(
    task: Task, data: TaskData, run: RunSpec, snapshots: Sequence[bytes], record: Record
) -> MemberOutcome:
    """Evaluate the average of several snapshots' predictions; nothing is trained.

    Args:
        task: Whose models they are.
        data: The task's.
        run: Says on which splits.
        snapshots: Contents of the models' snapshots; their settings may differ.
        record: The member's.
    """
    model = AverageModel(task, [rebuild(task, each, data.device) for each in snapshots])
    sample = TrainingSample(data, run.sample)
    record.begin(num_iterations=0, sample_digest=sample.digest, switched_off=())
    splits = evaluated_splits(data, sample, run.evaluate, at_most=run.evaluate_samples)
    whole = evaluated_splits(data, sample, run.evaluate_at_best, at_most=None)
    for each in splits:
        record.add_evaluation(each.evaluate(task, model, iteration=0))
    look_at_best(task, model, whole, record, iteration=0)
    return record.close(TrialCause.FINISHED)


class AverageModel(nn.Module):
    """Averages the predictions of models that were trained apart, all in eval mode.

    What is averaged are probabilities where the kind's own loss gives the outputs that
    meaning: softmax over dimension 1 for classification, sigmoid for binary and
    multilabel. The output is then the average's log-probabilities, or logits, so that the
    kind's loss of it is the negative log-likelihood of the mean probability, and its
    metrics read it like any model's. Else (regression, custom, a loss of the task's own)
    it is the plain mean of the outputs.

    Args:
        task: Whose models they are.
        models: One or more.
    """

    def __init__(self, task: Task, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self._models = nn.ModuleList(models)
        self._kind = "custom" if has_own_loss(task) else task.kind

    def forward(self, inputs: Tensor) -> Tensor:
        """The average for a batch (N, ...), of the outputs' shape."""
        # A forward may write into what it is given.
        outputs = torch.stack([model(inputs.clone()) for model in self._models])
        if self._kind == "classification":
            return _log_mean(F.log_softmax(outputs, 2))
        if self._kind in ("binary", "multilabel"):
            return _log_mean(F.logsigmoid(outputs)) - _log_mean(F.logsigmoid(-outputs))
        return outputs.mean(0)


def _log_mean(logs: Tensor) -> Tensor:
    """The logarithm of the mean of exp(logs) over dimension 0, finite wherever it can be."""
    return logs.logsumexp(0) - math.log(len(logs))
