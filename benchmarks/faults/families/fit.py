"""Faults of fit: too little data, too small a model, too much regularisation, too few epochs."""

from __future__ import annotations

from torch import Tensor

from benchmarks.faults.families.data import generator_of, shuffled
from benchmarks.faults.fault import Draw, fault
from benchmarks.faults.tasks.base import BenchTask, Pair
from recipes.task import SplitName


def keep_training_samples(task: BenchTask, count: int) -> None:
    """Train on the first samples only."""

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        return (inputs[:count], targets[:count]) if split == "train" else (inputs, targets)

    task.change_data(change)


@fault(
    30,
    "overfitting",
    "overtraining",
    # The lower the accuracy, the larger its error; of so few samples a class may have none, and a
    # batch norm's running statistics are of them alone.
    also=("small_validation_set", "class_imbalance", "train_eval_mismatch"),
    causes=("little_data",),
    kinds=("classification", "multilabel"),
    epochs=4.0,  # as many passes as make up for some of the samples
)
def little_data(task: BenchTask, draw: Draw) -> None:
    """The widest model on 80 (mild) or 40 samples, no weight decay."""
    keep_training_samples(task, round(draw.pick(mild=80, severe=40)))
    draw.setting["width"] = task.healthy.widths[-1]
    draw.setting["weight_decay"] = 0.0
    draw.setting["batch_size"] = 16


@fault(
    31,
    "overtraining",
    "overfitting",
    also=("noisy_labels", "small_validation_set"),
    causes=("too_long", "noisy_train_labels"),
    epochs=4.0,
)
def trained_too_long(task: BenchTask, draw: Draw) -> None:
    """A wide model learns a few noisy labels by heart, long after validation was best."""
    share = draw.pick(mild=0.05, severe=0.15)

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        if split != "train":
            return inputs, targets
        few = 200
        return inputs[:few], shuffled(targets[:few], share, generator_of(draw))

    task.change_data(change)
    draw.setting["width"] = 2 * task.healthy.widths[-1]
    draw.setting["weight_decay"] = 0.0
    draw.setting["batch_size"] = 16


@fault(
    33,
    "underfitting",
    # Through weights of nearly zero nothing passes, forwards or back; under batch norm small
    # weights make the effective rate high (van Laarhoven 2017).
    also=(
        *("constant_prediction", "stuck_at_chance", "vanishing_gradient", "dead_relu"),
        *("oscillation", "lr_too_high"),
    ),
    causes=("over_regularised",),
)
def heavy_weight_decay(task: BenchTask, draw: Draw) -> None:
    """Weight decay that holds the weights near zero."""
    lr = task.healthy.lr
    draw.setting["weight_decay"] = min(draw.pick(mild=0.1, severe=0.5), 0.2 / lr)


# A unit that is dead is the whole layer: nothing of the input passes.
@fault(
    33,
    "underfitting",
    "cannot_overfit",
    also=("dead_relu", "constant_prediction", "stuck_at_chance", "ignores_input"),
    causes=("too_small", "capacity_or_bug"),
    kinds=("classification", "multilabel"),
    traits=("deepens",),
)
def too_small_a_model(task: BenchTask, draw: Draw) -> None:
    """One hidden unit, or (mild) two, in every layer."""
    draw.setting["width"] = round(draw.pick(mild=2, severe=1))


@fault(
    34,
    "still_improving",
    "lr_too_low",
    also=("update_ratio_low", "flat_then_drop"),
    causes=("too_short", "lr_low"),
    epochs=0.5,
)
def stopped_too_early(task: BenchTask, draw: Draw) -> None:
    """Half the epochs at a rate a little too low: the loss still falls when it ends."""
    draw.setting["lr"] = task.healthy.rates["sgd"][0] / draw.pick(mild=3.0, severe=8.0)
