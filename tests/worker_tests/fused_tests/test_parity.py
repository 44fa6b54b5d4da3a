"""Members that train together take the steps they would take alone, to rounding in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from recipes.run import MemberSpec
from recipes.task import Task
from tests.worker_tests.fused_tests.models import (
    CLASSES,
    MODELS,
    drawn_in_float64,
    largest_difference,
    samples,
)
from worker.fused.graph import known_graph
from worker.fused.masks import MemberMasks
from worker.fused.team import Team
from worker.training.hyperparameters import Hyperparameters
from worker.training.losses import mean_loss
from worker.training.member import Member
from worker.training.optimizers import OPTIMIZERS, PlainOptimizer
from worker.training.seeding import mask_seed, seed_everything

ITERATIONS = 200
FEWER = 50
"""Where only the way that batches come in is another."""
BATCH = 8
EPOCH = 20  # iterations
BAND = 1e-12
FACTOR = 4
"""Times the difference between two ways of summing up alone. Both are largest of a few hundred
roundings; either may be twice the other."""
SETTINGS = (
    {"lr": 1e-2, "weight_decay": 0.0, "momentum": 0.9, "beta1": 0.9, "label_smoothing": 0.0},
    {"lr": 3e-3, "weight_decay": 1e-2, "momentum": 0.0, "beta1": 0.8, "label_smoothing": 0.1},
    {"lr": 1e-3, "weight_decay": 1e-1, "momentum": 0.5, "beta1": 0.0, "grad_clip": 0.5},
)


KNOWN = (
    *("mlp", "convnet", "residual", "token_net", "sequence_net", "frozen", "dropped_out"),
    *("elementwise", "max_pooled"),
)
"""Models all of whose layers are written for members; the others are mapped."""
WAYS = [*((model, True) for model in MODELS), *((model, False) for model in KNOWN)]


class Classes(Task):
    kind = "classification"
    num_classes = CLASSES


def members_of(model: str, **params: object) -> list[Member]:
    found = []
    for number, setting in enumerate(SETTINGS):
        torch.manual_seed(number)
        with drawn_in_float64():
            made = MODELS[model][0](number)
        of_run = Hyperparameters.from_params({**setting, **params})
        found.append(
            Member(
                spec=MemberSpec(trial=number, params={}, seed=number, data_seed=number),
                hyperparameters=of_run,
                model=made,
                optimizer=PlainOptimizer(made.parameters(), of_run.optimizer),
                loss=mean_loss(Classes(), label_smoothing=of_run.label_smoothing),
                augment=None,
                sample=None,  # type: ignore[arg-type]  # batches are handed over by the test
                batches=None,  # type: ignore[arg-type]
                evaluated=(),
                evaluated_at_best=(),
                switched_off=(),
            )
        )
    return found


def batches_of(kind: str, *, is_shared: bool) -> list[tuple[Tensor, Tensor]]:
    """Of every iteration: (B, ...) for all members, or (K, B, ...)."""
    seeds = [0] if is_shared else [0, 1, 2]
    drawn = [samples(kind, ITERATIONS * BATCH, seed=seed) for seed in seeds]
    cut = [
        [(inputs[at : at + BATCH], target[at : at + BATCH]) for inputs, target in drawn]
        for at in range(0, ITERATIONS * BATCH, BATCH)
    ]
    if is_shared:
        return [each[0] for each in cut]
    return [(torch.stack([b[0] for b in each]), torch.stack([b[1] for b in each])) for each in cut]


def train_alone(
    member: Member, row: int, batches: list[tuple[Tensor, Tensor]], *, is_shared: bool
) -> list[float]:
    losses = []
    member.model.train()
    for number, (inputs, target) in enumerate(batches):
        if number % EPOCH == 0:
            seed_everything(mask_seed(member.spec.seed, epoch=number // EPOCH))
        own = (inputs, target) if is_shared else (inputs[row], target[row])
        loss = member.loss(member.model(own[0]), own[1])
        member.optimizer.zero_grad()
        loss.backward()
        if member.hyperparameters.grad_clip:
            clip_grad_norm_(member.model.parameters(), member.hyperparameters.grad_clip)
        member.optimizer.set_rate_factor(factor(row, number))
        member.optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def factor(row: int, number: int) -> float:
    """Of a schedule that differs between the members."""
    return 1.0 - row * number / (4 * ITERATIONS)


def train_together(
    team: Team, batches: list[tuple[Tensor, Tensor]], *, is_shared: bool
) -> list[list[float]]:
    losses = []
    for number, (inputs, target) in enumerate(batches):
        if number % EPOCH == 0:
            team.masks.seed(range(len(SETTINGS)), epoch=number // EPOCH)
        loss, _ = team.forward.train(inputs, target, is_shared=is_shared)
        team.backward(loss)
        team.step([factor(row, number) for row in range(len(SETTINGS))])
        losses.append(loss.detach().tolist())
    return losses


def check(model: str, *, is_shared: bool, is_mapped: bool = False, **params: object) -> None:
    batches = batches_of(MODELS[model][1], is_shared=is_shared)
    batches = batches if is_shared else batches[:FEWER]
    team = Team.of(Classes(), members_of(model, **params), is_mapped=is_mapped)
    losses = train_together(team, batches, is_shared=is_shared)
    together = torch.tensor(losses, dtype=torch.float64)
    for row, member in enumerate(members_of(model, **params)):
        before = {name: tensor.clone() for name, tensor in member.model.named_parameters()}
        losses_alone = train_alone(member, row, batches, is_shared=is_shared)
        alone = torch.tensor(losses_alone, dtype=torch.float64)
        assert largest_difference(together[:, row], alone) <= BAND
        tensors = dict(member.model.named_parameters()) | dict(member.model.named_buffers())
        assert tensors.keys() == team.stack.tensors().keys()
        for name, tensor in tensors.items():
            assert largest_difference(team.stack.tensors()[name][row], tensor) <= BAND, name
        moved = [name for name, each in before.items() if not torch.equal(each, tensors[name])]
        assert moved


@pytest.mark.parametrize("is_shared", [True, False], ids=["one order", "own orders"])
@pytest.mark.parametrize(("model", "is_mapped"), WAYS)
def test_every_layer(model: str, is_shared: bool, is_mapped: bool) -> None:
    """With SGD: a bias in front of a norm has no gradient but rounding, which Adam would
    blow up to steps of full size, alone as well as together."""
    check(model, is_shared=is_shared, is_mapped=is_mapped, optimizer="sgd")


@pytest.mark.parametrize("model", list(MODELS))
def test_which_models_are_known(model: str) -> None:
    stack = Team.of(Classes(), members_of(model)).stack
    assert (known_graph(stack, MemberMasks(torch.device("cpu"))) is not None) == (model in KNOWN)


@pytest.mark.parametrize(
    ("name", "nesterov"),
    [*((name, False) for name in OPTIMIZERS), ("sgd", True)],  # the others know no nesterov
)
@pytest.mark.parametrize("is_mapped", [False, True], ids=["by layers", "mapped"])
def test_every_optimizer(name: str, nesterov: bool, is_mapped: bool) -> None:
    check("residual", is_shared=True, is_mapped=is_mapped, optimizer=name, nesterov=nesterov)


def test_members_that_are_left_go_on_as_if_nobody_had_gone() -> None:
    batches = batches_of("images", is_shared=True)
    members = members_of("dropped_out", optimizer="adamw")
    team = Team.of(Classes(), members)
    half = ITERATIONS // 2
    train_together(team, batches[:half], is_shared=True)
    team.keep([0, 2])
    for number in range(half, ITERATIONS):
        if number % EPOCH == 0:
            team.masks.seed([0, 2], epoch=number // EPOCH)
        loss, _ = team.forward.train(*batches[number], is_shared=True)
        team.backward(loss)
        team.step([factor(row, number) for row in (0, 2)])
    for left, row in enumerate((0, 2)):
        member = members_of("dropped_out", optimizer="adamw")[row]
        train_alone(member, row, batches, is_shared=True)
        for name, tensor in member.model.named_parameters():
            assert largest_difference(team.stack.tensors()[name][left], tensor) <= BAND, name


def test_a_row_goes_back_into_its_member_and_trains_on_there() -> None:
    batches = batches_of("images", is_shared=True)
    half = ITERATIONS // 2
    members = members_of("residual", optimizer="adam")
    team = Team.of(Classes(), members)
    train_together(team, batches[:half], is_shared=True)
    for row, member in enumerate(members):
        team.write_to(row, member, with_optimizer=True)
    again = Team.of(Classes(), members)
    train_on(again, batches, half)
    whole = Team.of(Classes(), members_of("residual", optimizer="adam"))
    train_together(whole, batches, is_shared=True)
    for name, tensor in whole.stack.tensors().items():
        assert torch.equal(again.stack.tensors()[name], tensor), name


def train_on(team: Team, batches: list[tuple[Tensor, Tensor]], start: int) -> None:
    for number in range(start, ITERATIONS):
        loss, _ = team.forward.train(*batches[number], is_shared=True)
        team.backward(loss)
        team.step([factor(row, number) for row in range(len(SETTINGS))])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("model", ["mlp", "convnet"])
def test_in_float32_it_differs_as_plain_training_does_from_itself(
    model: str, optimizer: str
) -> None:
    """Plain training with each batch the other way round sums up in another order: its losses
    differ as much, by a few units in the last place."""
    shared = batches_of(MODELS[model][1], is_shared=True)
    batches = [(in_float32(inputs), target) for inputs, target in shared]
    turned = [(inputs.flip(0), target.flip(0)) for inputs, target in batches]
    team = Team.of(Classes(), members_in_float32(model, optimizer=optimizer))
    together = torch.tensor(train_together(team, batches, is_shared=True))

    by_fusing, by_turning = [], []
    for row in range(len(SETTINGS)):
        plain, other = (
            torch.tensor(
                train_alone(
                    members_in_float32(model, optimizer=optimizer)[row], row, each, is_shared=True
                )
            )
            for each in (batches, turned)
        )
        by_fusing.append(float((together[:, row] - plain).abs().max()))
        by_turning.append(float((other - plain).abs().max()))
    assert max(by_fusing) <= FACTOR * max(by_turning)


def in_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def members_in_float32(model: str, **params: object) -> list[Member]:
    return [
        replace(
            member,
            model=member.model.float(),
            optimizer=PlainOptimizer(member.model.parameters(), member.hyperparameters.optimizer),
        )
        for member in members_of(model, **params)
    ]
