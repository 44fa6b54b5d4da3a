"""What is measured of training together: structure, rates, memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from recipes import Categorical, Float, Int
from recipes.errors import InvalidSetting
from recipes.fusing import GAIN, Fusing
from recipes.run import MemberSpec, RunSpec, Sample
from recipes.space import Params, SearchSpace
from recipes.task import Task
from tests.worker_tests.fused_tests.models import convnet
from tests.worker_tests.training_tasks import CPU, Blobs
from worker.data.data import load_data
from worker.fused import measuring, room
from worker.fused.admission import Admission
from worker.fused.asked import asked_number
from worker.fused.measuring import NUMBERS, measure_fusing
from worker.fused.memory import PeakMemory
from worker.fused.refusal import TOO_MUCH_MEMORY, NotFusable
from worker.fused.room import peaks
from worker.fused.train import train_together
from worker.tasks.digits import DigitsConv, DigitsMLP
from worker.training.collecting import CollectingReporter
from worker.training.member import Member, make_member

LR = {"lr": Float(1e-4, 1.0, log=True)}


class Sized(Blobs):
    def model(self, params: Params) -> nn.Module:
        activation = nn.Tanh() if params["activation"] == "tanh" else nn.ReLU()
        return nn.Sequential(
            nn.Linear(8, params["width"]),
            activation,
            nn.Dropout(params["rate"]),
            nn.Linear(params["width"], 4),
        )


def test_names_that_change_the_model_are_found() -> None:
    space = SearchSpace(
        {
            **LR,
            "weight_decay": Float(1e-6, 1e-1, log=True),
            "width": Int(4, 64, log=True),
            "rate": Float(0.0, 0.5),
            "activation": Categorical(["relu", "tanh"]),
        }
    )
    fusing = measure_fusing(Sized(), load_data(Sized(), CPU), space)

    assert fusing.structural == ("width", "activation")


def test_a_small_net_gains_and_the_rates_are_told() -> None:
    task = DigitsMLP()
    fusing = measure_fusing(
        task, load_data(task, CPU), SearchSpace(LR | {"hidden": Categorical([32])})
    )

    assert fusing.chunk in NUMBERS
    assert fusing.reason == ""
    assert fusing.rates[str(fusing.chunk)] >= GAIN * fusing.rates["1"]


def test_a_net_that_cannot_is_told_why() -> None:
    class Recurrent(Blobs):
        def model(self, params: Params) -> nn.Module:
            return nn.Sequential(nn.GRU(8, 4), Last(), nn.Linear(4, 4))

    class Last(nn.Module):
        def forward(self, outputs: Any) -> torch.Tensor:
            return outputs[0]

    fusing = measure_fusing(Recurrent(), load_data(Recurrent(), CPU), SearchSpace(LR))
    assert (fusing.chunk, fusing.reason) == (1, "GRU has no batching rule in torch")


def test_a_net_that_gains_nothing_trains_alone() -> None:
    """Large batches through small layers keep a core busy: several take turns in its cache."""

    class Busy(Blobs):
        def data(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
            generator = torch.Generator().manual_seed(0)
            return torch.randn(4096, 128, generator=generator), torch.arange(4096) % 4

        def model(self, params: Params) -> nn.Module:
            hidden = [layer for _ in range(6) for layer in (nn.Linear(128, 128), nn.ReLU())]
            return nn.Sequential(*hidden, nn.Linear(128, 4))

    space = SearchSpace(LR | {"batch_size": Categorical([4096])})
    fusing = measure_fusing(Busy(), load_data(Busy(), CPU), space)
    assert fusing.chunk == 1
    assert fusing.reason


class Convolutional(Task):
    num_classes = 4

    def data(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(256, 2, 8, 8, generator=generator), torch.arange(256) % 4

    def model(self, params: Params) -> nn.Module:
        return convnet()


@pytest.mark.parametrize(
    "task", [Blobs(), Convolutional(), DigitsConv()], ids=lambda task: type(task).__name__
)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_peak_of_a_whole_job_is_foreseen_within_a_quarter(task: Task, optimizer: str) -> None:
    """With the members' own models and optimisers, best weights, evaluations, internals."""
    data = load_data(task, CPU)
    params = {"optimizer": optimizer, "batch_size": 64, "channels": 8, "activation": "relu"}
    specs = tuple(MemberSpec(trial=k, params=params, seed=k, data_seed=0) for k in range(16))
    run = RunSpec(
        members=specs,
        epochs=2,
        sample=Sample(num_samples=192),
        evaluate=("train", "val"),
        keep_snapshot=True,
        internals_every=1,
        fuse=16,
    )

    def made(number: int) -> list[Member]:
        return [make_member(task, data, run, spec) for spec in specs[:number]]

    memory = PeakMemory.measured(lambda number: peaks(task, made, number, is_mapped=False))
    admission = Admission()
    two = run.model_copy(update={"members": specs[:2]})
    train_together(task, data, two, Quiet(), admission=admission)  # asks for admission
    held = _profiled(
        lambda: train_together(
            task, data, run, Quiet(), admission=admission, checkpoint_seconds=0.0
        )
    )
    assert memory.of(16) == pytest.approx(held, rel=0.25)


class Quiet(CollectingReporter):
    """Keeps no checkpoints: a worker sends them off, one after the other."""

    def checkpoint(self, *_: Any) -> None:
        pass


def test_the_highest_line_counts() -> None:
    memory = PeakMemory.measured({2: (100, 160), 4: (200, 170)}.__getitem__)

    assert memory.lines == ((0.0, 50.0), (150.0, 5.0))
    assert [memory.of(number) for number in (2, 4, 16)] == [160, 200, 800]
    assert memory.most_within(800) == 16
    assert memory.most_within(140) < 0


@pytest.mark.parametrize(
    ("share", "fits"), [(10.0, 16), (0.6, 8), (0.1, 4)], ids=["plenty", "half", "hardly any"]
)
def test_a_group_that_is_too_large_for_memory_is_cut_to_blocks(
    share: float, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, data = Convolutional(), load_data(Convolutional(), CPU)
    specs = tuple(MemberSpec(trial=k, params={}, seed=k, data_seed=0) for k in range(16))
    run = RunSpec(members=specs, epochs=1)
    members = [make_member(task, data, run, spec) for spec in specs]
    before = [each.clone() for each in members[0].model.state_dict().values()]
    needed = PeakMemory.measured(
        lambda number: peaks(task, lambda n: members[:n], number, is_mapped=False)
    ).of(16)
    members = [make_member(task, data, run, spec) for spec in specs]
    free = needed * share / room.MEMORY_SHARE
    monkeypatch.setattr(room, "free_bytes", lambda device: free)

    own = room.Room()
    for _ in range(2):  # measured, and then known
        assert own.most(task, members, form="one", is_mapped=False) == fits
    assert own.most(task, members[:3], form="one", is_mapped=False) == 3
    after = members[0].model.state_dict().values()
    assert all(map(torch.equal, before, after)), "nothing of theirs changes"


def test_no_more_members_are_made_than_memory_suffices_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []

    class Wide(Blobs):
        def model(self, params: Params) -> nn.Module:
            made.append(params["width"])
            return nn.Sequential(nn.Linear(8, params["width"]), nn.Linear(params["width"], 4))

    task = Wide()
    # Of the largest model, 512 wide, two fit and more do not.
    monkeypatch.setattr(measuring, "free_bytes", lambda device: 300_000 / room.MEMORY_SHARE)
    space = SearchSpace(LR | {"width": Int(4, 512, log=True)})
    fusing = measure_fusing(task, load_data(task, CPU), space)

    assert made.count(512) <= 12
    assert fusing.chunk == 1 or fusing.most_parameters is not None


class Itself:
    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize(
    "attribute",
    [Itself, lambda: torch.zeros(2, dtype=torch.bfloat16), lambda: torch.eye(3).to_sparse()],
    ids=["refers to itself", "bfloat16", "sparse"],
)
def test_whatever_goes_wrong_the_task_can_be_described(attribute: Any) -> None:
    class Holds(Blobs):
        def model(self, params: Params) -> nn.Module:
            model = nn.Sequential(nn.Linear(8, 4))
            model.held = attribute()  # type: ignore[assignment]
            return model

    task = Holds()
    fusing = measure_fusing(task, load_data(task, CPU), SearchSpace(LR))
    assert fusing.chunk == 1 or not fusing.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RecursionError("too deep"), "fused it raises RecursionError: too deep"),
        (TypeError(), "fused it raises TypeError"),
        (torch.OutOfMemoryError("CUDA out of memory"), TOO_MUCH_MEMORY),
        (NotFusable("it does not like company"), "it does not like company"),
    ],
)
def test_an_error_of_the_measurement_is_the_reason(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(measuring, "_rates", fails)
    assert measure_fusing(Blobs(), load_data(Blobs(), CPU), SearchSpace(LR)).reason == reason


def test_an_augmentation_that_raises_is_the_reason() -> None:
    class Broken(Blobs):
        def augment(self, batch: Any, generator: Any) -> Any:
            raise ZeroDivisionError("by zero")

    fusing = measure_fusing(Broken(), load_data(Broken(), CPU), SearchSpace(LR))
    assert fusing.chunk == 1
    assert "ZeroDivisionError" in fusing.reason


@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_models_that_keep_the_trainers_own_names_train_one_by_one(name: str) -> None:
    class Keeps(Blobs):
        def model(self, params: Params) -> nn.Module:
            model = super().model(params)
            model.kept = params[name]
            return model

    space = SearchSpace(LR | {"weight_decay": Float(1e-6, 1e-1, log=True)})
    fusing = measure_fusing(Keeps(), load_data(Keeps(), CPU), space)
    assert fusing.chunk == 1
    assert fusing.reason == f"its models keep {name}, so no two trials are of one form"


def test_what_is_not_worth_it_is_not_promised() -> None:
    for best in (0.9, 1.04, 1.06, 2.0):
        chunk = measuring._choose({1: 100.0, 4: 90.0, 8: 97.0 * best, 16: 100.0 * best})
        fusing = Fusing(chunk=chunk, rates={"1": 100, "4": 90, "8": 97 * best, "16": 100 * best})
        assert (chunk > 1) == (best > GAIN)
        assert chunk == 1 or fusing.is_ever_worth


@pytest.mark.parametrize(
    ("text", "number"),
    [("", None), (" ", None), ("0", 1), ("00", 1), ("1", 1), ("8", 8), ("256", 256)],
)
def test_what_the_environment_may_ask_for(text: str, number: int | None) -> None:
    assert asked_number({"SEVENSTEP_FUSE": text}) == number
    assert asked_number({}) is None


@pytest.mark.parametrize("text", ["no", "-1", "2.5", "257", "9" * 5_000, "²"])
def test_what_does_not_fit_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSetting, match=r"SEVENSTEP_FUSE: '.*' does not fit; give 0"):
        asked_number({"SEVENSTEP_FUSE": text})
    monkeypatch.setenv("SEVENSTEP_FUSE", text)
    fusing = measure_fusing(Blobs(), load_data(Blobs(), CPU), SearchSpace(LR))
    assert fusing.chunk == 1
    assert fusing.reason.startswith("SEVENSTEP_FUSE: ")


def _profiled(run: Any) -> int:
    """The peak of what torch's own allocator hands out."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    events = [
        each for each in profiled.profiler.kineto_results.events() if each.name() == "[memory]"
    ]
    held = peak = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak
