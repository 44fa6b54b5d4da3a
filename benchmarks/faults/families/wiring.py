"""Faults in the code of the model: what is connected to what, and in which mode."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.faults.fault import Draw, fault
from benchmarks.faults.tasks.base import BenchTask, layers, weighted


class Wrapped(nn.Module):
    """A network with a function before it, which is told the mode."""

    def __init__(self, inner: nn.Module, before: Callable[[Tensor, bool], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.before = before

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.inner(self.before(x, self.training)))


@fault(
    40,
    "frozen_parameters",
    also=("underfitting", "cannot_overfit", "still_improving", "stuck_at_chance"),
    without=("recurrent",),
)
def frozen_layers(task: BenchTask, draw: Draw) -> None:
    """The first layer (mild), or every layer but the last, does not train."""

    def freeze(network: nn.Module) -> nn.Module:
        found = weighted(network)[:-1]
        for layer in found[: round(draw.pick(mild=1, severe=len(found)))]:
            layer.requires_grad_(False)
        return network

    task.change_network(freeze)


@fault(
    40,
    "frozen_parameters",
    also=("underfitting", "cannot_overfit", "still_improving", "stuck_at_chance"),
    only=("severe",),
)
def detached_features(task: BenchTask, draw: Draw) -> None:
    """The graph is cut before the last layer."""

    def cut(network: nn.Module) -> nn.Module:
        weighted(network)[-1].register_forward_pre_hook(lambda _, inputs: inputs[0].detach())
        return network

    task.change_network(cut)


@fault(
    12,
    "batch_mixing",
    also=("noisy_labels", "stuck_at_chance"),  # a sample's values stand at another's label
    only=("severe",),
)
def reshaped_across_batch(task: BenchTask, draw: Draw) -> None:
    """A view where a transpose belongs: a sample's values come from other samples."""

    def mix(x: Tensor, training: bool) -> Tensor:
        flat = x.flatten(1)
        return flat.t().contiguous().view(flat.shape).view(x.shape)

    task.change_network(lambda network: Wrapped(network, mix))


@fault(
    11,
    "ignores_input",
    also=("stuck_at_chance", "constant_prediction", "cannot_overfit", "frozen_parameters"),
    causes=("ignores_input", "input_unused"),
    only=("severe",),
)
def input_multiplied_by_zero(task: BenchTask, draw: Draw) -> None:
    """A mask that is zero everywhere: the model sees nothing."""
    task.change_network(lambda network: Wrapped(network, lambda x, training: 0.0 * x))


# A sum over all past gradients swings about the minimum, ever wider.
@fault(
    41,
    "missing_zero_grad",
    also=("diverged", "non_finite_loss", "loss_rising", "oscillation", "loss_spikes"),
    only=("severe",),
)
def gradients_add_up(task: BenchTask, draw: Draw) -> None:
    """Gradients are never cleared: every update adds all those before it."""

    def accumulate(network: nn.Module) -> nn.Module:
        for parameter in network.parameters():
            kept = torch.zeros_like(parameter)

            def add(gradient: Tensor, kept: Tensor = kept) -> Tensor:
                kept.add_(gradient)
                return kept.clone()

            parameter.register_hook(add)  # type: ignore[no-untyped-call]
        return network

    task.change_network(accumulate)


@fault(
    42,
    "train_eval_mismatch",
    also=("val_below_chance",),
    causes=("batch_norm_statistics", "train_eval_mismatch"),
    traits=("batch_norm",),
)
def stale_batch_norm(task: BenchTask, draw: Draw) -> None:
    """Batch norms whose running statistics hardly move: wrong in eval mode."""

    def slow(network: nn.Module) -> nn.Module:
        for norm in layers(network, nn.BatchNorm2d):
            norm.momentum = draw.pick(mild=2e-3, severe=1e-5)  # type: ignore[assignment]
        return network

    task.change_network(slow)


@fault(
    42,
    "train_eval_mismatch",
    also=("val_below_chance", "initial_loss_high"),  # step 1 looks at the model in eval mode
    causes=("mode_in_forward", "preprocessing", "train_eval_mismatch"),
)
def other_preprocessing_in_eval(task: BenchTask, draw: Draw) -> None:
    """A preprocessing step that runs in training mode only."""
    scale = draw.pick(mild=3.0, severe=20.0)
    task.change_network(
        lambda network: Wrapped(network, lambda x, training: x if training else scale * (x - 0.5))
    )


# Metrics are taken in eval mode, where dropout makes neither split the better one; but batch norm
# after it sees another variance there than in training (Li et al. 2019, variance shift).
@fault(
    33,
    "underfitting",
    also=("noisy_loss", "still_improving", "train_eval_mismatch"),
    causes=("over_regularised",),
)
def heavy_dropout(task: BenchTask, draw: Draw) -> None:
    """Seven tenths (mild) or nineteen twentieths of the inputs are dropped in training."""
    share = draw.pick(mild=0.7, severe=0.95)
    task.change_network(lambda network: nn.Sequential(nn.Dropout(share), network))


@fault(
    43,
    "batch_norm_small_batch",
    also=("noisy_loss", "oscillation", "train_eval_mismatch", "diverged"),
    traits=("batch_norm",),
)
def tiny_normed_batches(task: BenchTask, draw: Draw) -> None:
    """Batches of two or four under batch norm."""
    draw.setting["batch_size"] = round(draw.pick(mild=4, severe=2))


@fault(
    29,
    "periodic_loss",
    without=("batch_norm",),
)
def epoch_in_order(task: BenchTask, draw: Draw) -> None:
    """What a batch looks like depends on its place in the epoch, as with data in file order."""
    strength = draw.pick(mild=0.8, severe=2.0)
    training = task.data("train")
    assert training is not None
    per_epoch = math.ceil(len(training[0]) / int(draw.setting["batch_size"]))
    seen: list[torch.Generator] = []

    def augment(batch: tuple[Tensor, Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        inputs, targets = batch
        if seen and seen[-1] is not generator:  # an epoch has its own
            seen.clear()
        place = len(seen) / per_epoch
        seen.append(generator)
        noise = torch.randn(inputs.shape, generator=generator)
        return inputs + strength * place * noise, targets

    task.augment = augment  # type: ignore[attr-defined]
