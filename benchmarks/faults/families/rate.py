"""Faults in the optimiser's setting: the task is healthy, the numbers are not."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.faults.fault import Draw, fault
from benchmarks.faults.tasks.base import BenchTask


@fault(
    16,
    "lr_too_low",
    also=("still_improving", "update_ratio_low", "stuck_at_chance", "flat_then_drop"),
    causes=("lr_low",),
)
def rate_too_low(task: BenchTask, draw: Draw) -> None:
    """The rate a thousandth of the good one, or (mild) a thirtieth."""
    draw.setting["lr"] = task.healthy.lr / draw.pick(mild=30.0, severe=1_000.0)


# Beside it, what the taxonomy names a rate too high as a cause of.
@fault(
    17,
    "lr_too_high",
    "oscillation",
    "diverged",
    "non_finite_loss",
    also=(
        *("underfitting", "loss_spikes", "loss_rising", "update_ratio_high"),
        *("exploding_gradient", "dead_relu", "constant_prediction"),
        *("overtraining", "overfitting", "train_eval_mismatch"),
    ),
    causes=("lr_high", "lr_plateau", "lr_high_late", "no_decay"),
)
def rate_too_high(task: BenchTask, draw: Draw) -> None:
    """The lowest rate at which training ends clearly worse, or three times that."""
    draw.setting["lr"] = task.healthy.edge * draw.pick(mild=1.0, severe=3.0)


@fault(
    14,
    "diverged",
    "non_finite_loss",
    "lr_too_high",
    also=(
        *("underfitting", "update_ratio_high"),
        *("exploding_gradient", "dead_relu", "constant_prediction"),
    ),
    causes=("lr_high",),
    only=("severe",),
)
def rate_explodes(task: BenchTask, draw: Draw) -> None:
    """A hundred times the lowest rate at which training ends clearly worse."""
    draw.setting["lr"] = 100.0 * task.healthy.edge


@fault(
    15,
    "loss_spikes",
    also=("exploding_gradient", "oscillation"),
    causes=("rare_batches", "bad_batch"),
)
def corrupt_batches(task: BenchTask, draw: Draw) -> None:
    """One batch in thirty comes out of the pipeline with inputs and targets mispaired, and
    (severe) on another scale."""
    scale = draw.pick(mild=1.0, severe=2.0)

    def augment(batch: tuple[Tensor, Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        inputs, targets = batch
        is_bad = bool(torch.rand(1, generator=generator) < 1 / 30)
        return (scale * inputs.flip(0) if is_bad else inputs), targets

    task.augment = augment  # type: ignore[attr-defined]


@fault(
    18,
    "oscillation",
    "lr_too_high",
    "diverged",
    also=(
        *("noisy_loss", "loss_spikes", "underfitting"),
        *("update_ratio_high", "dead_relu", "train_eval_mismatch"),
    ),
    causes=("lr_high_late", "small_batch", "lr_plateau"),
    kinds=("classification", "multilabel"),
)
def restless_optimiser(task: BenchTask, draw: Draw) -> None:
    """Small batches at a rate that is the highest for batches several times as large, or
    (severe) more than twice that."""
    draw.setting["batch_size"] = 8
    draw.setting["lr"] = task.healthy.rates["sgd"][1] * draw.pick(mild=1.0, severe=2.5)


@fault(
    28,
    "noisy_loss",
    also=("oscillation", "loss_spikes"),
    causes=("small_batch",),
    without=("batch_norm",),
)
def tiny_batches(task: BenchTask, draw: Draw) -> None:
    """Batches of one or of three, at a rate made smaller with them."""
    size = round(draw.pick(mild=3, severe=1))
    draw.setting["lr"] = task.healthy.lr * size / task.healthy.batch_size
    draw.setting["batch_size"] = size


# At its highest the rate is a third of the lowest good one.
@fault(
    27,
    "schedule_misfit",
    also=("still_improving", "lr_too_low", "update_ratio_low", "flat_then_drop"),
    causes=("lr_low",),
)
def warm_up_without_end(task: BenchTask, draw: Draw) -> None:
    """The warm-up takes the whole run, from a rate so low that nothing is learned before
    its last part."""
    draw.setting["warmup"] = draw.pick(mild=0.8, severe=0.99)
    draw.setting["lr"] = task.healthy.rates["sgd"][0] / 3


@fault(
    27,
    "schedule_misfit",
    "lr_too_low",
    also=("still_improving", "update_ratio_low", "flat_then_drop"),
    causes=("lr_low",),
)
def decayed_too_early(task: BenchTask, draw: Draw) -> None:
    """The rate starts low and decays along a cosine: it comes down before there is anything to
    settle."""
    draw.setting["schedule"] = "cosine"
    draw.setting["lr"] = task.healthy.rates["sgd"][0] / draw.pick(mild=6.0, severe=40.0)
