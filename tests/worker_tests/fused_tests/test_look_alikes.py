"""Models that look alike and are not, and forwards that do more than their operations say."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.run import MemberSpec, RunSpec
from recipes.space import Params
from recipes.task import SplitName, Task
from tests.worker_tests.training_tasks import CPU, Blobs, blobs
from worker.data.data import load_data
from worker.fused.admission import Admission
from worker.fused.form import form_of
from worker.fused.train import train_together
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

SLOPES = (0.1, 0.9, -1.0, 0.1)
BAND = 1e-5


def run_of(settings: list[dict[str, Any]], fuse: int = 16) -> RunSpec:
    members = tuple(
        MemberSpec(trial=trial, params={"batch_size": 32, "lr": 0.05, **own}, seed=11, data_seed=5)
        for trial, own in enumerate(settings)
    )
    return RunSpec(members=members, epochs=2, evaluate=("val",), fuse=fuse)


def losses(report: CollectingReporter) -> list[float]:
    found = []
    for _, outcome in sorted(report.outcomes.items()):
        evaluation = outcome.evaluation("val")
        assert evaluation is not None, outcome.message
        found.append(evaluation.loss.mean)
    return found


def both(
    task: Task, settings: list[dict[str, Any]], admission: Admission | None = None
) -> tuple[CollectingReporter, CollectingReporter]:
    """Alone and together."""
    run = run_of(settings)
    alone, together = CollectingReporter(), CollectingReporter()
    train(task, load_data(task, CPU), run, alone)
    train_together(task, load_data(task, CPU), run, together, admission=admission or Admission())
    return alone, together


def reasons(report: CollectingReporter) -> set[str | None]:
    return {outcome.engine_reason for outcome in report.outcomes.values()}


class Net(nn.Module):
    """Two layers, with something of a setting between them."""

    def __init__(self, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.act(self.first(x)))


class Slope:
    def __init__(self, slope: float) -> None:
        self.slope = slope

    def apply(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.slope)


def partial(slope: float) -> nn.Module:
    return Net(functools.partial(F.leaky_relu, negative_slope=slope))


def bound_method(slope: float) -> nn.Module:
    return Net(Slope(slope).apply)


def keyword_default(slope: float) -> nn.Module:
    def act(x: Tensor, *, slope: float = slope) -> Tensor:
        return F.leaky_relu(x, slope)

    return Net(act)


def local_class(slope: float) -> nn.Module:
    class Local(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4)

        def helper(self, x: Tensor) -> Tensor:
            return F.leaky_relu(x, slope)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.helper(self.first(x)))

    return Local()


class Listed(Net):
    def __init__(self, slope: float) -> None:
        super().__init__(self.last)
        self.acts = [nn.LeakyReLU(slope)]

    def last(self, x: Tensor) -> Tensor:
        return self.acts[-1](x)


@pytest.mark.parametrize(
    "build",
    [partial, bound_method, keyword_default, local_class, Listed],
    ids=lambda f: f.__name__,
)
def test_a_setting_in_a_models_attributes_makes_another_form(
    build: Callable[[float], nn.Module],
) -> None:
    assert form_of(build(0.1)) == form_of(build(0.1))
    assert form_of(build(0.1)) != form_of(build(0.9))

    class Sloped(Blobs):
        def model(self, params: Params) -> nn.Module:
            return build(float(params["slope"]))  # type: ignore[arg-type]

    alone, together = both(Sloped(), [{"slope": slope} for slope in SLOPES])
    assert losses(together) == pytest.approx(losses(alone), abs=BAND)
    assert len(set(losses(alone))) == 3


class OutsideNet(Net):
    """Reads what is no part of it: two of them look alike."""

    def __init__(self, slope: float) -> None:
        super().__init__(F.relu)
        SLOPE_OF[id(self)] = slope

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.leaky_relu(self.first(x), SLOPE_OF.get(id(self), 0.0)))


SLOPE_OF: dict[int, float] = {}


def test_a_group_whose_models_compute_different_things_is_parted() -> None:
    class Sloped(Blobs):
        def model(self, params: Params) -> nn.Module:
            return OutsideNet(float(params["slope"]))  # type: ignore[arg-type]

    alone, together = both(Sloped(), [{"slope": slope} for slope in SLOPES])
    assert losses(together) == losses(alone)
    assert None not in reasons(together)


class Penalised(Blobs):
    """Its loss reads the model that it made last."""

    def model(self, params: Params) -> nn.Module:
        self.net = super().model(params)
        return self.net

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        weights = sum(each.abs().sum() for each in self.net.parameters())
        return F.cross_entropy(output, target) + 1e-2 * weights


def test_a_loss_that_reads_the_model_reads_the_right_one() -> None:
    settings = [{"lr": lr} for lr in (0.1, 0.05, 0.02)]
    alone, together = both(Penalised(), settings)
    assert losses(together) == losses(alone)
    assert reasons(together) == {"the task keeps net of the trial it made a model for last"}


class Weighted(Blobs):
    """Its loss has a setting of its own, which reaches it by the task."""

    def model(self, params: Params) -> nn.Module:
        self.weight = float(params["weight"])  # type: ignore[arg-type]
        return super().model(params)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target) * self.weight


def test_a_loss_with_a_setting_has_its_own() -> None:
    alone, together = both(Weighted(), [{"weight": weight} for weight in (0.1, 1.0, 3.0)])
    assert losses(together) == losses(alone)
    assert reasons(together) == {"the task keeps weight of the trial it made a model for last"}


class Averaging(Blobs):
    """Its loss keeps a running mean on the task."""

    mean = 0.0

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        found = F.cross_entropy(output, target)
        self.mean = 0.9 * self.mean + 0.1 * found.detach()
        return found + 0.01 * self.mean


def test_a_loss_that_keeps_a_state_is_left_alone() -> None:
    task = Averaging()
    run = run_of([{"lr": lr} for lr in (0.1, 0.05, 0.02)])
    together = CollectingReporter()
    train_together(task, load_data(task, CPU), run, together, admission=Admission())
    assert {outcome.engine for outcome in together.outcomes.values()} == {"plain"}
    (reason,) = reasons(together)
    assert reason is not None
    assert torch.isfinite(torch.as_tensor(task.mean))


class TwoOutputs(Task):
    """Its model gives a dictionary, which a kind of its own may."""

    kind = "custom"

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        inputs, _ = blobs(split)
        return inputs, inputs.sum(1)

    def model(self, params: Params) -> nn.Module:
        class Two(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(8, 2)

            def forward(self, x: Tensor) -> dict[str, Tensor]:
                found = self.layer(x)
                return {"mean": found[:, 0], "scale": found[:, 1]}

        return Two()

    def loss(self, output: dict[str, Tensor], target: Tensor) -> Tensor:
        errors = (output["mean"] - target).square()
        return (errors * torch.exp(-output["scale"]) + output["scale"]).mean()

    def metrics(self, output: dict[str, Tensor], target: Tensor) -> dict[str, float]:
        return {"mse": float((output["mean"] - target).square().mean())}


def test_outputs_of_any_kind_train_alone() -> None:
    alone, together = both(TwoOutputs(), [{"lr": lr} for lr in (1e-3, 5e-4)])
    assert losses(together) == losses(alone)
    assert all("mse" in each.evaluations[-1].metrics for each in alone.outcomes.values())


class Counting(Net):
    def __init__(self) -> None:
        super().__init__(F.relu)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (0.1 if self.calls > 10 else 1.0)


class Skipping(Net):
    def __init__(self) -> None:
        super().__init__(F.relu)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        if self.training and random.random() < 0.2:
            hidden = hidden * 0.5
        return self.second(self.act(hidden))


class AlwaysDropping(Net):
    def __init__(self) -> None:
        super().__init__(lambda x: F.dropout(F.relu(x), 0.5))


class Asking(Net):
    def __init__(self) -> None:
        super().__init__(F.relu)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.second(self.drop(hidden) if self.drop.p > 0 else hidden)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (Counting, "changes what the model holds"),
        (Skipping, "draws random numbers of its own"),
        (AlwaysDropping, "draws random numbers in eval mode"),
        (Asking, "reads the rate of a dropout"),
    ],
)
def test_a_forward_that_does_more_trains_alone(
    build: Callable[[], nn.Module], reason: str
) -> None:
    class Own(Blobs):
        def model(self, params: Params) -> nn.Module:
            return build()

    alone, together = both(Own(), [{"lr": lr} for lr in (0.1, 0.05, 0.02)])
    assert losses(together) == losses(alone)
    (told,) = reasons(together)
    assert told is not None
    assert reason in told


class Casting(Net):
    """Names float32, as a model of integer pixels does."""

    def __init__(self) -> None:
        super().__init__(F.relu)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float() / 2)


class Overwriting(Net):
    def __init__(self) -> None:
        super().__init__(F.relu)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous()
        x /= 2
        return super().forward(x)


@pytest.mark.parametrize("build", [Casting, Overwriting])
def test_casts_and_writes_within_the_batch_are_no_hindrance(
    build: Callable[[], nn.Module],
) -> None:
    class Own(Blobs):
        def model(self, params: Params) -> nn.Module:
            return build()

    alone, together = both(Own(), [{"lr": lr} for lr in (0.1, 0.05, 0.02)])
    assert reasons(together) == {None}
    assert losses(together) == pytest.approx(losses(alone), abs=BAND)


def test_what_holds_itself_can_be_looked_at() -> None:
    class Knot:
        def __init__(self) -> None:
            self.own = self

    def tied() -> nn.Module:
        net = Net(F.relu)
        net.knot = Knot()
        net.half = torch.ones(3, dtype=torch.bfloat16)
        return net

    assert form_of(tied()) == form_of(tied())


def test_no_room_for_one_more_is_not_its_own_failure() -> None:
    class Large(Blobs):
        made = 0

        def model(self, params: Params) -> nn.Module:
            self.made += 1
            if self.made > 3:
                raise torch.OutOfMemoryError("no room")
            return super().model(params)

    task, run = Large(), run_of([{"lr": 0.1}] * 5)
    data, report = load_data(task, CPU), CollectingReporter()
    with pytest.raises(torch.OutOfMemoryError):
        train_together(task, data, run, report, admission=Admission())
    assert not report.outcomes
