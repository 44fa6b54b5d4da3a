from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.outcome import Evaluation
from tests.worker_tests.training_tasks import (
    CPU,
    Binary,
    Blobs,
    Multilabel,
    OwnLoss,
    Positions,
    Regression,
    run_spec,
    trained,
)
from worker.data.data import load_data
from worker.training.evaluation import evaluate, evaluation_indices, group_moments
from worker.training.losses import mean_loss
from worker.training.metrics import batch_accuracy


def evaluated(task: Blobs, *, at_most: int = 2_000) -> tuple[Evaluation, Tensor, Tensor]:
    """An evaluation on val, and the outputs and targets it was made of."""
    torch.manual_seed(0)
    model, data = task.model({}), load_data(task, CPU)
    indices = evaluation_indices(data["val"].num_samples, at_most=at_most)
    evaluation = evaluate(task, model, data["val"], indices, split="val", iteration=3)
    inputs, target = data["val"].batch(indices)
    return evaluation, model(inputs).detach(), target


def bits(evaluation: Evaluation) -> list[int]:
    assert evaluation.correct is not None
    raw = np.frombuffer(base64.b64decode(evaluation.correct), dtype=np.uint8)
    return np.unpackbits(raw)[: evaluation.loss.n].tolist()


def test_classification_has_loss_accuracy_and_who_was_right() -> None:
    evaluation, output, target = evaluated(Blobs())
    losses = F.cross_entropy(output, target, reduction="none").double()
    right = output.argmax(1) == target

    assert (evaluation.split, evaluation.iteration) == ("val", 3)
    assert evaluation.loss.mean == pytest.approx(float(losses.mean()))
    assert evaluation.loss.sd == pytest.approx(float(losses.std()))
    assert evaluation.metrics["accuracy"].mean == pytest.approx(float(right.double().mean()))
    assert bits(evaluation) == right.int().tolist()


def test_binary_decides_by_the_logits_sign() -> None:
    evaluation, output, target = evaluated(Binary())
    right = ((output > 0) == (target == 1)).flatten()

    assert evaluation.metrics["accuracy"].mean == pytest.approx(float(right.double().mean()))
    assert bits(evaluation) == right.int().tolist()
    expected = F.binary_cross_entropy_with_logits(output, target).item()
    assert evaluation.loss.mean == pytest.approx(expected, rel=1e-6)


def test_multilabel_accuracy_is_per_label() -> None:
    evaluation, output, target = evaluated(Multilabel())
    right = (output > 0) == (target == 1)

    assert evaluation.metrics["accuracy"].mean == pytest.approx(float(right.double().mean()))
    assert evaluation.correct is None


def test_regression_has_mse_and_r2() -> None:
    evaluation, output, target = evaluated(Regression())
    residual = (output - target).double().square().sum()
    spread = (target - target.mean(0)).double().square().sum()

    assert evaluation.metrics["mse"].mean == pytest.approx(F.mse_loss(output, target).item())
    assert evaluation.metrics["r2"].mean == pytest.approx(float(1 - residual / spread), rel=1e-5)
    assert evaluation.loss.mean == pytest.approx(evaluation.metrics["mse"].mean, rel=1e-6)
    assert evaluation.correct is None


class OneTarget(Regression):
    """Every target is 3: R² has no variance to compare with."""

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        inputs, target = super().data(split)
        return inputs, torch.full_like(target, 3.0)


class AlwaysRight(OneTarget):
    def model(self, params: Any) -> nn.Module:
        model = nn.Linear(8, 2)
        nn.init.zeros_(model.weight)
        nn.init.constant_(model.bias, 3.0)
        return model


@pytest.mark.parametrize(("task", "r2"), [(OneTarget(), 0.0), (AlwaysRight(), 1.0)])
def test_r2_of_targets_that_are_all_the_same_is_one_or_zero(task: Regression, r2: float) -> None:
    evaluation, _, _ = evaluated(task)

    assert evaluation.metrics["r2"].mean == r2


def test_ignored_positions_do_not_count_and_wholly_ignored_samples_are_left_out() -> None:
    evaluation, output, target = evaluated(Positions())
    losses, shares = [], []
    for row, truth in zip(output, target, strict=True):
        kept = truth != -1
        if kept.any():
            losses.append(F.cross_entropy(row.T[kept], truth[kept]).item())
            shares.append((row.argmax(0)[kept] == truth[kept]).double().mean().item())

    assert len(losses) == len(target) - 1 == evaluation.loss.n
    assert evaluation.loss.mean == pytest.approx(np.mean(losses), rel=1e-6)
    assert evaluation.metrics["accuracy"].mean == pytest.approx(np.mean(shares), rel=1e-6)
    assert evaluation.correct is None


def test_own_loss_and_metrics_are_used_and_their_spread_is_that_of_samples() -> None:
    own, _, _ = evaluated(OwnLoss())
    default, _, _ = evaluated(Blobs())

    assert set(own.metrics) == {"loss", "accuracy", "error"}
    assert own.loss.mean == pytest.approx(default.loss.mean, rel=1e-6)
    assert own.metrics["error"].mean == pytest.approx(1 - own.metrics["accuracy"].mean)
    assert own.loss.sd == pytest.approx(default.loss.sd, rel=0.5)  # 16 batches: a rough one
    assert bits(own) == bits(default)


@pytest.mark.parametrize("num", [2, 3, 17, 33, 61, 120])
def test_own_metrics_see_no_sample_alone(num: int) -> None:
    sizes: list[int] = []

    class Counts(OwnLoss):
        def metrics(self, output: Tensor, target: Tensor) -> dict[str, float]:
            sizes.append(len(target))
            return {"error": 0.0}

    evaluated(Counts(), at_most=num)
    assert sum(sizes) == num
    assert min(sizes) >= 2
    assert len(sizes) == min(16, num // 2)


class TwoForOne(Regression):
    """A mean and a scale for one number: of another shape than its targets."""

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        inputs, targets = super().data(split)
        return inputs, targets[:, :1]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, :1] - target).square().mean() + output[:, 1:].square().mean()

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, float]:
        return {"error": float((output[:, :1] - target).abs().mean())}


class Embeds(OwnLoss):
    """Seven numbers for four classes."""

    def model(self, params: object) -> nn.Module:
        return nn.Linear(8, 7)


@pytest.mark.parametrize("task", [TwoForOne(), Embeds()])
def test_outputs_of_another_shape_than_the_kinds_have_own_metrics_alone(task: Blobs) -> None:
    evaluation, _, _ = evaluated(task)
    report = trained(task, run_spec(epochs=1))

    assert set(evaluation.metrics) == {"loss", "error"}
    assert evaluation.correct is None
    assert report.outcomes[0].message is None
    assert not report.curve("accuracy").iterations


def test_group_moments_recover_the_spread_of_samples() -> None:
    values = torch.randn(4_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moments = group_moments([(float(group.mean()), len(group)) for group in values.split(10)])

    assert moments.n == 4_000
    assert moments.mean == pytest.approx(float(values.mean()))
    assert moments.standard_error == pytest.approx(1 / math.sqrt(4_000), rel=0.1)
    assert math.isnan(group_moments([(1.0, 5)]).sd)
    assert math.isnan(group_moments([(math.nan, 5), (1.0, 5)]).mean)


def test_a_fixed_sample_is_used_of_a_large_split() -> None:
    first, second = (evaluation_indices(10_000, at_most=500) for _ in range(2))

    assert torch.equal(first, second)
    assert len(first.unique()) == 500
    assert torch.equal(first, first.sort().values)
    assert int(first.max()) > 9_000
    assert torch.equal(evaluation_indices(120, at_most=500), torch.arange(120))
    assert evaluated(Blobs(), at_most=50)[0].loss.n == 50


def test_dropout_is_off_and_the_models_mode_is_put_back() -> None:
    class Dropped(Blobs):
        def model(self, params: object) -> nn.Module:
            return nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 4))

    task, data = Dropped(), load_data(Dropped(), CPU)
    model = task.model({}).train()
    everything = torch.arange(120)
    one, two = (
        evaluate(task, model, data["val"], everything, split="val", iteration=0) for _ in range(2)
    )
    assert one == two
    assert model.training


def test_a_nan_in_the_output_is_reported_not_left_out() -> None:
    class Broken(Blobs):
        def model(self, params: object) -> nn.Module:
            layer = nn.Linear(8, 4)
            nn.init.constant_(layer.weight, math.nan)
            return layer

    evaluation, _, _ = evaluated(Broken())
    assert math.isnan(evaluation.loss.mean)
    assert evaluation.loss.n == 120
    assert '"NaN"' in evaluation.model_dump_json()


@pytest.mark.parametrize("task", [Blobs(), Binary(), Multilabel(), Positions()])
def test_batch_accuracy_is_that_of_the_evaluation(task: Blobs) -> None:
    accuracy = batch_accuracy(task)
    assert accuracy is not None
    evaluation, output, target = evaluated(task)
    expected = evaluation.metrics["accuracy"].mean
    assert float(accuracy(output, target)) == pytest.approx(expected, rel=1e-6)


def test_regression_has_no_right_and_wrong() -> None:
    assert batch_accuracy(Regression()) is None


def test_label_smoothing_is_the_training_losss_alone() -> None:
    output, target = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 0])
    smoothed = mean_loss(Blobs(), label_smoothing=0.1)(output, target)
    assert float(smoothed) == F.cross_entropy(output, target, label_smoothing=0.1).item()
    assert float(smoothed) != float(mean_loss(Blobs())(output, target))


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"output has shape \(5, 1\), its targets \(5,\)"):
        mean_loss(Regression())(torch.zeros(5, 1), torch.zeros(5))
    with pytest.raises(ValueError, match="make them the same"):
        mean_loss(Binary())(torch.zeros(5, 1), torch.zeros(5))


def test_a_custom_kind_needs_a_loss_and_a_loss_must_be_a_scalar() -> None:
    class Custom(Blobs):
        kind = "custom"

    class Vector(Custom):
        def loss(self, output: Tensor, target: Tensor) -> Tensor:
            return output.sum(1)

    with pytest.raises(ValueError, match="define loss"):
        mean_loss(Custom())
    with pytest.raises(ValueError, match=r"Vector.loss returned shape \(5,\); return a scalar"):
        mean_loss(Vector())(torch.zeros(5, 4), torch.zeros(5))
