"""Our member-axis updates against torch.optim, member by member; and torch's own at K = 1."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from worker.fused import native
from worker.fused.native import is_as_known, native_step
from worker.fused.optimizer import MemberOptimizer
from worker.training.optimizers import OPTIMIZERS, OptimizerSettings, PlainOptimizer

RATES = [
    {"lr": 1e-2, "weight_decay": 0.0, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999},
    {"lr": 3e-3, "weight_decay": 1e-2, "momentum": 0.0, "beta1": 0.8, "beta2": 0.99},
    {"lr": 1e-4, "weight_decay": 1e-1, "momentum": 0.5, "beta1": 0.0, "beta2": 0.9},
]
NUM_STEPS = 200
CASES = [*((name, False) for name in OPTIMIZERS), ("sgd", True)]


def settings(name: str, *, nesterov: bool = False) -> list[OptimizerSettings]:
    return [OptimizerSettings(name=name, nesterov=nesterov, **rates) for rates in RATES]


def gradient(weight: Tensor, iteration: int, scale: float) -> Tensor:
    """A smooth, noisy, curved problem: its gradient at a weight."""
    noise = torch.sin(torch.arange(weight.numel(), dtype=weight.dtype) * (iteration + 1))
    return scale * weight.detach().sin() + 0.3 * noise.view_as(weight)


def reference(name: str, each: OptimizerSettings, nesterov: bool) -> type[torch.optim.Optimizer]:
    classes = {
        "sgd": (
            torch.optim.SGD,
            {"momentum": each.momentum, "nesterov": nesterov and each.momentum > 0},
        ),
        "adagrad": (torch.optim.Adagrad, {}),
        "rmsprop": (torch.optim.RMSprop, {"momentum": each.momentum}),
        "adam": (torch.optim.Adam, {"betas": (each.beta1, each.beta2)}),
        "adamw": (torch.optim.AdamW, {"betas": (each.beta1, each.beta2)}),
    }
    cls, arguments = classes[name]
    return lambda weights, **more: cls(
        weights, lr=each.lr, weight_decay=each.weight_decay, **arguments, **more
    )


def test_a_native_step_with_other_arguments_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [torch.zeros(2, 3)]
    is_as_known.cache_clear()
    assert native_step("adagrad", weights) is not None
    assert native_step("rmsprop", weights) is None
    try:
        for changed in (lambda weights: None, lambda *weights, **rates: None):
            is_as_known.cache_clear()
            monkeypatch.setattr(native, "_STEPS", {"adagrad": changed})
            assert native_step("adagrad", weights) is None
    finally:
        is_as_known.cache_clear()


@pytest.mark.parametrize("is_native", [True, False], ids=["by rows", "over members"])
@pytest.mark.parametrize(("name", "nesterov"), CASES)
def test_each_member_takes_the_steps_torch_takes(
    name: str, nesterov: bool, is_native: bool
) -> None:
    starts = [torch.linspace(-1, 1 + k, 12, dtype=torch.float64).view(3, 4) for k in range(3)]
    group = torch.stack(starts).requires_grad_()
    ours = MemberOptimizer([group], settings(name, nesterov=nesterov), is_native=is_native)
    factors = [1.0, 0.5, 0.25]
    for iteration in range(NUM_STEPS):
        ours.zero_grad()
        group.grad = torch.stack([gradient(w, iteration, k + 1.0) for k, w in enumerate(group)])
        decay = 1 - iteration / (2 * NUM_STEPS)
        ours.step([factor * decay for factor in factors])

    for k, each in enumerate(settings(name, nesterov=nesterov)):
        weight = starts[k].clone().requires_grad_()
        theirs = reference(name, each, nesterov)([weight], foreach=False)
        for iteration in range(NUM_STEPS):
            decay = 1 - iteration / (2 * NUM_STEPS)
            theirs.param_groups[0]["lr"] = each.lr * factors[k] * decay
            weight.grad = gradient(weight, iteration, k + 1.0)
            theirs.step()
        assert (group[k] - weight).abs().max() <= 1e-12
        assert not torch.equal(weight, starts[k])


@pytest.mark.parametrize(("name", "nesterov"), CASES)
def test_a_single_member_has_torchs_own_kernels(name: str, nesterov: bool) -> None:
    each = settings(name, nesterov=nesterov)[0]
    plain = nn.Parameter(torch.linspace(-1, 1, 12))
    other = nn.Parameter(plain.detach().clone())
    ours = PlainOptimizer([plain], each)
    fused = {} if name == "rmsprop" else {"fused": True}
    theirs = reference(name, each, nesterov)([other], **fused)
    for iteration in range(20):
        ours.zero_grad()
        plain.grad = gradient(plain, iteration, 1.0)
        other.grad = gradient(other, iteration, 1.0)
        ours.set_rate_factor(1.0)
        ours.step()
        theirs.step()
    assert torch.equal(plain, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_put_back_goes_on_the_same(name: str) -> None:
    each = settings(name)[0]

    def steps(weight: nn.Parameter, optimizer: PlainOptimizer, numbers: range) -> None:
        for number in numbers:
            weight.grad = gradient(weight, number, 1.0)
            optimizer.step()

    straight = nn.Parameter(torch.linspace(-1, 1, 6))
    steps(straight, PlainOptimizer([straight], each), range(10))
    first = nn.Parameter(torch.linspace(-1, 1, 6))
    before = PlainOptimizer([first], each)
    steps(first, before, range(5))
    second = nn.Parameter(first.detach().clone())
    after = PlainOptimizer([second], each)
    after.load({key: value.clone() for key, value in before.state().items()})
    steps(second, after, range(5, 10))
    assert torch.equal(straight, second)


def test_rate_factor_scales_the_step() -> None:
    weight = nn.Parameter(torch.zeros(3))
    optimizer = PlainOptimizer([weight], OptimizerSettings(name="sgd", lr=1.0))
    weight.grad = torch.ones(3)
    optimizer.set_rate_factor(0.25)
    optimizer.step()
    assert weight.tolist() == [-0.25] * 3


def test_a_model_without_trainable_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="no trainable parameter; set requires_grad"):
        PlainOptimizer([nn.Parameter(torch.ones(2), requires_grad=False)], settings("sgd")[0])


def test_members_of_a_group_share_the_kind_of_optimizer() -> None:
    mixed = [settings("sgd")[0], settings("adam")[1]]
    with pytest.raises(ValueError, match="one optimiser"):
        MemberOptimizer([torch.zeros(2, 3)], mixed)
    with pytest.raises(ValueError, match="first axis"):
        MemberOptimizer([torch.zeros(2, 3)], settings("sgd"))


def test_a_diverged_member_leaves_the_others_alone() -> None:
    group = torch.ones(3, 4).requires_grad_()
    optimizer = MemberOptimizer([group], settings("adamw"))
    group.grad = torch.ones(3, 4)
    group.grad[1] = torch.nan
    optimizer.step([1.0] * 3)
    assert group[1].isnan().all()
    assert group[[0, 2]].isfinite().all()
