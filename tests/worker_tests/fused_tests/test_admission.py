"""Which modules train together, which do not and why, and that admission changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.fused_modules import MODULES, reason_against
from recipes.run import MemberSpec, RunSpec
from recipes.space import Params
from recipes.task import Task
from tests.worker_tests.training_tasks import CPU, Blobs, Regularised
from worker.data.data import load_data
from worker.fused.admission import Admission, Admitted, admit, compare
from worker.fused.form import form_of
from worker.fused.refusal import NotFusable, reason_of
from worker.training.member import Member, make_member

ALONE = {
    "AlphaDropout": "alpha_dropout is not known to the fused trainer",
    "spectral_norm": "div has no batching rule in torch",
    "LSTM": "LSTM has no batching rule in torch",
    "GRU": "GRU has no batching rule in torch",
    "RNN": "RNN has no batching rule in torch",
    "attention with dropout": "its forward draws random numbers of its own",
    "noise drawn in the forward": "its forward draws random numbers of its own",
    "a branch on values": "its forward branches on the values of a tensor",
    "state kept outside buffers": "its forward keeps a tensor outside the buffers",
}


def two_members(task: Task, **params: Any) -> list[Member]:
    data = load_data(task, CPU)
    specs = [
        MemberSpec(trial=k, params={"batch_size": 32, **params}, seed=k, data_seed=0)
        for k in range(2)
    ]
    run = RunSpec(members=tuple(specs), iterations=10, evaluate=())
    return [make_member(task, data, run, spec) for spec in specs]


@pytest.mark.parametrize("name", list(MODULES))
def test_every_module_is_admitted_or_refused_with_its_reason(name: str) -> None:
    assert reason_against(name) == ALONE.get(name)


def test_the_page_lists_them() -> None:
    page = (Path(__file__).parents[3] / "docs/fused-training.md").read_text()
    for name in MODULES:
        trains = f"alone: {ALONE[name]}" if name in ALONE else "together"
        assert f"| {name} | {trains} |" in page


def test_the_members_themselves_are_left_as_they_were() -> None:
    members = two_members(Regularised(), momentum=0.9)
    before = [
        {name: tensor.clone() for name, tensor in member.model.state_dict().items()}
        for member in members
    ]
    assert admit(Regularised(), members) == Admitted(is_mapped=False)
    for member, tensors in zip(members, before, strict=True):
        assert all(
            torch.equal(tensor, tensors[name])
            for name, tensor in member.model.state_dict().items()
        )
        assert member.optimizer.state() == {}
        assert all(parameter.grad is None for parameter in member.model.parameters())


class Miscounts(nn.Module):
    """Right for one member, and wrong where a leading axis comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * (2.0 if torch._C._functorch.is_batchedtensor(x) else 1.0)


def test_a_difference_is_found_and_named() -> None:
    class Wrong(Blobs):
        def model(self, params: Params) -> nn.Module:
            return nn.Sequential(nn.Linear(8, 8), Miscounts())

    with pytest.raises(NotFusable, match=r"the loss of iteration 0 differs by"):
        admit(Wrong(), two_members(Wrong()))


def test_augmentation_must_keep_to_its_generator() -> None:
    class Jitters(Blobs):
        def augment(
            self, batch: tuple[Tensor, Tensor], generator: torch.Generator
        ) -> tuple[Tensor, Tensor]:
            return batch[0] + torch.randn_like(batch[0]), batch[1]

    with pytest.raises(NotFusable, match="augment draws from global generators"):
        admit(Jitters(), two_members(Jitters()))
    for is_mapped in (True, False):
        compare(Regularised(), two_members(Regularised()), is_mapped=is_mapped)


def test_the_global_generator_of_a_gpu_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.zeros(16, dtype=torch.uint8)

    class Jitters(Blobs):
        def augment(
            self, batch: tuple[Tensor, Tensor], generator: torch.Generator
        ) -> tuple[Tensor, Tensor]:
            state.add_(1)  # as a draw on a GPU moves its generator on
            return batch

    members = two_members(Jitters())
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", state.clone)
    with pytest.raises(NotFusable, match="augment draws from global generators"):
        admit(Jitters(), members)


def test_a_form_is_looked_at_once() -> None:
    members = two_members(Blobs())
    admission = Admission()
    assert not admission.ask(Blobs(), members, form="a form").is_mapped
    broken = [replace(each, loss=None) for each in members]  # type: ignore[arg-type]
    assert not admission.ask(Blobs(), broken, form="a form").is_mapped
    for _ in range(2):
        with pytest.raises(NotFusable, match="cannot be compared"):
            admission.ask(Blobs(), broken, form="another")


def test_forms_differ_by_all_that_a_forward_may_read() -> None:
    def net(**changes: Any) -> nn.Module:
        layers = nn.Sequential(nn.Linear(8, 8), nn.LeakyReLU(0.1), nn.Dropout(0.3))
        for path, value in changes.items():
            name, _, key = path.partition("_")
            setattr(layers.get_submodule(name.removeprefix("of")), key, value)
        return layers

    same = form_of(net())
    assert form_of(net()) == same, "weights may differ"
    assert form_of(net(of2_p=0.7)) == same, "dropout rates may differ"
    assert form_of(net(of1_negative_slope=0.2)) != same
    assert form_of(nn.Sequential(nn.Linear(8, 9), nn.LeakyReLU(0.1), nn.Dropout(0.3))) != same
    assert form_of(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.3))) != same
    frozen = net()
    frozen[0].weight.requires_grad_(False)
    assert form_of(frozen) != same
    assert form_of(net().double()) != same
    tied = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    untied = form_of(tied)
    tied[1].weight = tied[0].weight
    assert form_of(tied) != untied


def test_functions_are_told_apart_by_their_code_and_what_they_hold() -> None:
    class Applies(nn.Module):
        def __init__(self, power: float) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.function = lambda x: x**power

    assert form_of(Applies(2.0)) == form_of(Applies(2.0))
    assert form_of(Applies(2.0)) != form_of(Applies(3.0))


def test_what_cannot_be_compared_is_named() -> None:
    holder = nn.Linear(2, 2)
    holder.file = open(__file__, encoding="utf-8")  # noqa: SIM115
    try:
        with pytest.raises(NotFusable, match=r"Linear holds a TextIOWrapper"):
            form_of(holder)
    finally:
        holder.file.close()


def test_what_torch_says_is_said_in_words() -> None:
    told = reason_of(RuntimeError("Batching rule not implemented for aten::foo.bar; ..."))
    assert told == "foo has no batching rule in torch"
    assert reason_of(ValueError("a\nb")) == "fused it raises ValueError: a"
    assert len(reason_of(ValueError("x" * 1_000))) <= 200
