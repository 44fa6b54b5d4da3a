"""Channels last: taken where it is faster and means the same, and only there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from recipes import Categorical, Float, Task
from recipes.memory_format import GAIN, MemoryFormat
from recipes.run import MemberSpec, RunSpec
from recipes.space import Params, SearchSpace
from recipes.task import SplitName
from recipes.trial import TrialCause
from worker.data.data import load_data
from worker.describe.describe import describe
from worker.describe.memory_format import measure_memory_format
from worker.tasks.digits import DigitsMLP
from worker.training.collecting import CollectingReporter
from worker.training.loop import train
from worker.training.member import make_member

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


class Images(Task):
    """Coloured noise of four classes; a network with pooling, which gains most."""

    kind = "classification"
    num_classes = 4
    space = {"lr": Float(1e-3, 1e-1, log=True), "head": Categorical(["flatten", "mean"])}

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(len(split))
        targets = torch.arange(256) % 4
        inputs = torch.randn(256, 3, 32, 32, generator=generator)
        return inputs + targets.reshape(-1, 1, 1, 1) / 2, targets

    def model(self, params: Params) -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            self.head(params),
        )

    def head(self, params: Params) -> nn.Module:
        if params["head"] == "mean":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
        return nn.Sequential(nn.Flatten(), nn.Linear(16 * 64, 4))


class View(nn.Module):
    """Looks at its input as it lies in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


class Viewing(Images):
    def head(self, params: Params) -> nn.Module:
        if params["head"] == "mean":  # not the middle of the space
            return nn.Sequential(View(), nn.Linear(16 * 64, 4))
        return nn.Sequential(nn.Flatten(), nn.Linear(16 * 64, 4))


class Laid(nn.Module):
    """Reads its input in the order of memory: another function in another format."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_strided(x, (len(x), x[0].numel()), (x[0].numel(), 1))


class InOrderOfMemory(Images):
    def head(self, params: Params) -> nn.Module:
        return nn.Sequential(Laid(), nn.Linear(16 * 64, 4))


def measured(task: Task) -> MemoryFormat:
    return measure_memory_format(
        task, load_data(task, CPU), SearchSpace.model_validate(task.space)
    )


def test_a_network_with_pooling_gains_and_is_described_so() -> None:
    task = Images()
    found = describe(task, load_data(task, CPU), device=CPU, measures_fusing=True)
    assert found.memory_format.name == "channels_last"
    assert found.memory_format.gain is not None
    assert found.memory_format.gain >= GAIN
    assert found.fusing.chunk == 1
    assert "Channels come last in memory" in found.how_trained
    assert found.how_trained.startswith("Trials train one by one: with channels last")


def test_a_model_without_images_is_not_measured() -> None:
    assert measured(DigitsMLP()) == MemoryFormat()
    assert MemoryFormat().sentence == ""


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Viewing(), "view size is not compatible"),
        (InOrderOfMemory(), "Tensor-likes are not close"),
    ],
    ids=["view", "as_strided"],
)
def test_a_model_that_looks_at_memory_keeps_its_own_format(task: Task, reason: str) -> None:
    found = measured(task)
    assert (found.name, found.gain) == ("contiguous", None)
    assert reason in found.reason


def test_what_is_not_asked_for_is_not_measured() -> None:
    task = Images()
    found = describe(task, load_data(task, CPU), device=CPU)
    assert found.memory_format == MemoryFormat()


def run_spec(memory_format: str, optimizer: str = "sgd", **fields: object) -> RunSpec:
    params = {"lr": 0.01, "head": "flatten", "optimizer": optimizer}
    member = MemberSpec(trial=0, params=params, seed=1, data_seed=2)
    return RunSpec.model_validate(
        {
            "members": (member,),
            "epochs": 2,
            "evaluate": ("train", "val"),
            "internals_every": 2,
            "probes": ("initialisation",),
            "memory_format": memory_format,
            **fields,
        }
    )


def test_both_formats_train_to_the_same_within_rounding() -> None:
    task = Images()
    data = load_data(task, CPU)
    ends = {}
    for name in ("contiguous", "channels_last"):
        report = CollectingReporter()
        train(task, data, run_spec(name), report)
        outcome = report.outcomes[0]
        assert outcome.cause is TrialCause.FINISHED
        assert outcome.initialisation is not None
        ends[name] = [
            *(each.metrics["loss"].mean for each in outcome.evaluations),
            *report.curve("gradient_norm").values,
            *report.curve("update_ratio").values,
            outcome.initialisation.output_sd,
            *(layer.sd for layer in outcome.initialisation.layers),
        ]
    assert ends["channels_last"] == pytest.approx(ends["contiguous"], rel=1e-3)


def test_a_member_s_convolutions_lie_as_its_run_says() -> None:
    task = Images()
    data = load_data(task, CPU)
    for name, format in (
        ("contiguous", torch.contiguous_format),
        ("channels_last", torch.channels_last),
    ):
        run = run_spec(name)
        model = make_member(task, data, run, run.members[0]).model
        assert model[0].weight.is_contiguous(memory_format=format)  # type: ignore[index,union-attr]
        output = model[0](data["val"].batch(torch.arange(4))[0])  # type: ignore[index,operator]
        assert output.is_contiguous(memory_format=format)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad"])
def test_a_run_that_was_interrupted_ends_with_the_same_bits(optimizer: str) -> None:
    task = Images()
    data = load_data(task, CPU)
    whole, first, second = CollectingReporter(), CollectingReporter(), CollectingReporter()
    train(task, data, run_spec("channels_last", optimizer), whole)
    train(task, data, run_spec("channels_last", optimizer, until_epoch=1), first)
    resume = {0: first.checkpoints[0][-1]}
    train(task, data, run_spec("channels_last", optimizer), second, resume=resume)
    assert second.outcomes[0].evaluations == whole.outcomes[0].evaluations
