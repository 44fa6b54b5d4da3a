"""Models with a fault, trained by the real loop: what it measures, and what the rules say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes import Task
from recipes.curve import FIRST_GRADIENT, LAST_GRADIENT, LEARNING_RATE, STALE_GRADIENT, join
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import initial_loss_evidence
from recipes.evidence.trial_series import trial_series
from recipes.finding import Severity
from recipes.readings import read
from recipes.rules.registry import findings
from recipes.run import Probe
from recipes.step import TrialResult
from recipes.trial import TrialPurpose
from tests.worker_tests.training_tasks import CPU, Blobs, run_spec, trained
from worker.data.data import load_data
from worker.describe.describe import describe
from worker.training.optimizers import PlainOptimizer
from worker.training.probes import FEWEST_MODE_SAMPLES

EPOCHS = 12


def task_with(model: Callable[[], nn.Module]) -> Blobs:
    class Made(Blobs):
        def model(self, params: object) -> nn.Module:
            return model()

    return Made()


def result(task: Task, *, lr: float = 0.05, **settings: Any) -> TrialResult:
    """One real trial of a few epochs, internals sampled."""
    run = run_spec(
        {"lr": lr, "batch_size": 32},
        **{
            "epochs": EPOCHS,
            "evaluate": ("train", "val"),
            "internals_every": 5,
            **settings,
        },
    )
    report = trained(task, run)
    return TrialResult(
        number=0,
        purpose=TrialPurpose.SEARCH,
        label="",
        params=run.members[0].params,
        outcome=report.outcomes[0],
        curves=join(report.blocks),
    )


def codes(task: Task, trial: TrialResult) -> dict[str, Severity]:
    """What step 6's rules find, with how grave it is."""
    description = describe(task, load_data(task, CPU), device=CPU)
    evidence = CurveEvidence(description, trial_series(trial))
    return {each.code: each.severity for each in read(evidence)}


def sound(hidden: int = 16) -> nn.Module:
    return nn.Sequential(nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, 4))


class Times(nn.Module):
    """Outputs whose spread is far from one, which batch norm takes out again."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return self.factor * inputs


def normed(momentum: float = 0.1, p: float = 0.0) -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 16),
        Times(30),
        nn.BatchNorm1d(16, momentum=momentum),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(16, 4),
    )


INTERNAL = {
    "dead_relu",
    "saturated_activation",
    "vanishing_gradient",
    "exploding_gradient",
    "update_ratio_low",
    "update_ratio_high",
    "missing_zero_grad",
    "train_eval_mismatch",
    "batch_norm_small_batch",
    "loss_rising",
    "periodic_loss",
}


@pytest.mark.parametrize("model", [sound, normed, lambda: normed(p=0.5)])
def test_a_sound_model_shows_no_sick_internals(model: Callable[[], nn.Module]) -> None:
    task = task_with(model)
    trial = result(task)

    assert INTERNAL.isdisjoint(codes(task, trial))
    assert (STALE_GRADIENT, "train") not in trial.curves
    assert (LEARNING_RATE, "train") not in trial.curves  # it is constant
    losses = trial.outcome.mode_losses
    if model is sound:
        assert losses is None, "nothing in it looks at its mode"
        return
    assert losses is not None
    assert losses.eval == losses.eval_again
    assert losses.n == FEWEST_MODE_SAMPLES  # the run is short


class Deep(nn.Module):
    """Sixteen sigmoids, one upon the other."""

    def __init__(self) -> None:
        super().__init__()
        hidden = [each for _ in range(15) for each in (nn.Linear(16, 16), nn.Sigmoid())]
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), *hidden, nn.Linear(16, 4))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


def test_the_gradient_of_a_deep_sigmoid_net_vanishes() -> None:
    task = task_with(Deep)
    trial = result(task)
    first, last = (trial.curve(name).values for name in (FIRST_GRADIENT, LAST_GRADIENT))

    assert len(first) == len(last) == len(trial.curve("gradient_norm").values)
    assert max(first) < 1e-4 < 1e-3 < min(last)
    assert codes(task, trial)["vanishing_gradient"] is Severity.WARNING


def test_the_ends_gradients_are_parts_of_the_whole() -> None:
    trial = result(task_with(sound), epochs=1)
    total, first, last = (
        trial.curve(name).values[0] for name in ("gradient_norm", FIRST_GRADIENT, LAST_GRADIENT)
    )

    assert 0 < first < total
    assert 0 < last < total
    assert math.hypot(first, last) < total  # biases have one too


def test_before_training_the_deep_net_is_told_too() -> None:
    task = task_with(Deep)
    trial = result(task, epochs=None, iterations=0, probes=(Probe.INITIALISATION,))
    description = describe(task, load_data(task, CPU), device=CPU)
    found = findings(initial_loss_evidence(description, [trial]))

    assert "vanishing_gradient" in {each.code for each in found}


class Saturated(nn.Module):
    """Weights thirty times as large before a tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(8, 16), nn.Linear(16, 4)
        with torch.no_grad():
            self.first.weight *= 30
            self.head.weight *= 0.001

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(torch.tanh(self.first(inputs)))


def test_saturated_units_are_counted_at_the_end() -> None:
    trial = result(task_with(Saturated), epochs=1)

    assert trial.outcome.saturated_share is not None
    assert trial.outcome.saturated_share > 0.5
    assert result(task_with(sound), epochs=1).outcome.saturated_share is None


class LeftOn(nn.Module):
    """Dropout that does not know of eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(8, 32), nn.Linear(32, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(F.dropout(self.first(inputs).relu(), 0.5))


class Forgets(nn.Module):
    """Leaves a layer out when it is not training."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs)
        return self.head(hidden.relu() if self.training else 4 * hidden)


@pytest.mark.parametrize("model", [LeftOn, Forgets, lambda: normed(momentum=1e-4)])
def test_a_model_that_is_another_in_eval_mode(model: Callable[[], nn.Module]) -> None:
    task = task_with(model)
    assert codes(task, result(task, lr=0.3))["train_eval_mismatch"] is Severity.WARNING


def test_the_modes_are_measured_only_where_internals_are() -> None:
    assert result(task_with(sound), epochs=1, internals_every=None).outcome.mode_losses is None


def test_gradients_that_are_not_cleared_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_with(sound)
    monkeypatch.setattr(PlainOptimizer, "zero_grad", lambda self: None)
    trial = result(task, lr=0.001)

    assert codes(task, trial)["missing_zero_grad"] is Severity.ERROR
    stale = trial.curve(STALE_GRADIENT)
    assert stale.iterations == trial.curve("gradient_norm").iterations[1:]


@pytest.mark.parametrize(
    "settings", [{"schedule": "cosine"}, {"warmup": 0.2}, {"schedule": "step", "warmup": 4}]
)
def test_a_rate_that_changes_is_reported_as_it_was_used(settings: dict[str, Any]) -> None:
    run = run_spec({"lr": 0.1, **settings}, iterations=40, internals_every=10)
    rates = trained(Blobs(), run).curve(LEARNING_RATE)

    assert rates.iterations == (0, 10, 20, 30)
    assert len(set(rates.values)) > 1
    assert max(rates.values) <= 0.1


class Penalised(Blobs):
    """Its loss knows the model, and adds a penalty on the weights."""

    strength = 0.05

    def model(self, params: object) -> nn.Module:
        self.net = sound()
        return self.net

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        penalty = sum(each.square().sum() for each in self.net.parameters())
        return F.cross_entropy(output, target) + self.strength * penalty


class Rewarded(Penalised):
    strength = -0.05


@pytest.mark.parametrize(("task", "sign"), [(Penalised(), 1.0), (Rewarded(), -1.0)])
def test_a_penalty_inside_the_loss_is_measured(task: Penalised, sign: float) -> None:
    outputs = describe(task, load_data(task, CPU), device=CPU).outputs
    assert outputs is not None

    assert 0.2 < sign * outputs.penalty < 2
    assert outputs.penalty_growth == pytest.approx(0.21 * outputs.penalty, rel=1e-3)


def test_other_losses_hold_no_penalty() -> None:
    class Plain(Blobs):
        def loss(self, output: Tensor, target: Tensor) -> Tensor:
            return F.cross_entropy(output, target)

    for task in (Plain(), Blobs()):
        outputs = describe(task, load_data(task, CPU), device=CPU).outputs
        assert outputs is not None
        assert (outputs.penalty, outputs.penalty_growth) == (0.0, 0.0)


def test_samples_that_stand_twice_in_train_are_counted() -> None:
    class Twice(Blobs):
        def data(self, split: str) -> tuple[Tensor, Tensor]:
            inputs, labels = super().data(split)
            rows = [0, 0, 0, 1, 1, *range(2, len(labels))]
            return inputs[rows], labels[rows]

    overlap = describe(Twice(), load_data(Twice(), CPU), device=CPU).overlap
    assert (overlap.within_train, overlap.train_val, overlap.conflicting) == (5, 0, 0)
