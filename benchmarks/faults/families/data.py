"""Faults in the data: what comes out of files is not what the model was meant to get."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.faults.fault import Draw, fault
from benchmarks.faults.tasks.base import BenchTask, Pair
from recipes.task import SplitName

CLASSES = ("classification",)
LABELLED = ("classification", "binary")


def generator_of(draw: Draw, split: str = "") -> torch.Generator:
    """A generator of the cell's own."""
    return torch.Generator().manual_seed(1_000 * draw.seed + len(split))


def shuffled(targets: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the targets in another order among themselves."""
    rows = torch.randperm(len(targets), generator=generator)[: round(share * len(targets))]
    changed = targets.clone()
    changed[rows] = targets[rows[torch.randperm(len(rows), generator=generator)]]
    return changed


@fault(0, "labels_out_of_range", kinds=CLASSES, only=("severe",))
def labels_counted_from_one(task: BenchTask, draw: Draw) -> None:
    """Classes 1 to C instead of 0 to C - 1."""
    task.change_data(lambda split, inputs, targets: (inputs, targets + 1))


# The outputs' scale follows the inputs'; one sign of the offset shuts units, all of a narrow
# layer's too; a rate for normalised inputs is too high for these, and what is low enough for
# their mean is too low for the rest (LeCun et al. 1998, 4.3), a small sample's included.
@fault(
    8,
    "inputs_not_normalised",
    also=(
        *("initial_loss_high", "dead_relu", "diverged", "non_finite_loss", "underfitting"),
        *("lr_too_high", "lr_too_low", "constant_prediction", "cannot_overfit"),
        *("ignores_input", "stuck_at_chance"),
    ),
)
def raw_inputs(task: BenchTask, draw: Draw) -> None:
    """Inputs on the scale of the files, far from 0 and from 1."""
    scale = draw.pick(mild=12.0, severe=60.0)
    task.change_data(lambda split, inputs, targets: (scale * (inputs + 2.0), targets))


@fault(
    8,
    "inputs_not_normalised",
    also=("initial_loss_high", "diverged", "non_finite_loss"),
    traits=("table",),
    only=("severe",),
)
def one_raw_feature(task: BenchTask, draw: Draw) -> None:
    """One column of the table in another unit, a thousand times the others."""

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        scale = torch.ones(inputs.shape[1])
        scale[draw.seed % len(scale)] = 1_000.0
        return inputs * scale, targets

    task.change_data(change)


@fault(9, "non_finite_data", also=("non_finite_loss",))
def missing_values(task: BenchTask, draw: Draw) -> None:
    """Missing values as NaN: one (mild), or in a tenth of the samples."""

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        if split != "train":
            return inputs, targets
        count = round(draw.pick(mild=1, severe=0.1 * len(inputs)))
        rows = torch.randperm(len(inputs), generator=generator_of(draw))[:count]
        changed = inputs.clone(memory_format=torch.contiguous_format)
        changed.view(len(inputs), -1)[rows, draw.seed % inputs[0].numel()] = float("nan")
        return changed, targets

    task.change_data(change)


@fault(
    35,
    "noisy_labels",
    # Learned by heart, or not at all; what has no rule takes long to learn (Zhang et al. 2017).
    also=("overfitting", "overtraining", "underfitting", "cannot_overfit"),
    causes=("noisy_train_labels", "labels_mismatched"),
)
def shuffled_labels(task: BenchTask, draw: Draw) -> None:
    """Labels paired with the wrong inputs: all of them, or four in ten."""
    share = draw.pick(mild=0.4, severe=1.0)
    task.change_data(
        lambda split, inputs, targets: (
            inputs,
            shuffled(targets, share, generator_of(draw, split)),
        )
    )


@fault(
    36,
    "val_better_than_train",
    "noisy_labels",
    also=("overfitting", "overtraining", "underfitting"),
    causes=("noisy_train_labels", "labels_mismatched"),
    kinds=LABELLED,
)
def noisy_training_labels(task: BenchTask, draw: Draw) -> None:
    """Only the training labels are noisy, so validation looks better."""
    share = draw.pick(mild=0.2, severe=0.5)

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        if split == "train":
            targets = shuffled(targets, share, generator_of(draw))
        return inputs, targets

    task.change_data(change)


@fault(36, "train_val_overlap")
def leaked_validation(task: BenchTask, draw: Draw) -> None:
    """Validation samples that stand in the training data, too: all, or a fifth."""
    share = draw.pick(mild=0.2, severe=1.0)
    held: dict[str, Pair] = {}

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        if not held:
            held.update({name: task._splits()[name] for name in ("train", "val")})
        if split != "val":
            return inputs, targets
        count = round(share * len(inputs))
        source, labels = held["train"]
        rows = torch.arange(count) % len(source)
        return (
            torch.cat([source[rows], inputs[count:]]),
            torch.cat([labels[rows], targets[count:]]),
        )

    task.change_data(change)


@fault(
    37,
    "val_below_chance",
    also=("noisy_labels",),  # of the validation samples
    causes=("class_order", "labels_mismatched"),
    kinds=CLASSES,
    only=("severe",),
)
def classes_in_other_order(task: BenchTask, draw: Draw) -> None:
    """The validation loader counts the classes in another order."""

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        if split == "val":
            targets = (targets + 1) % int(task.num_classes or 2)
        return inputs, targets

    task.change_data(change)


@fault(
    37,
    "inputs_not_normalised",
    also=("val_below_chance", "stuck_at_chance"),  # of the validation samples
    causes=("statistics_per_split", "preprocessing"),
)
def validation_not_standardised(task: BenchTask, draw: Draw) -> None:
    """Validation inputs go through another preprocessing than training ones."""
    scale = draw.pick(mild=4.0, severe=25.0)

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        return (scale * (inputs + 1.0) if split == "val" else inputs), targets

    task.change_data(change)


@fault(
    38,
    "class_imbalance",
    "constant_prediction",
    # Rows go from every split; the prior is learned first, and is nearly all there is to learn.
    also=(
        *("small_validation_set", "flat_then_drop", "stuck_at_chance"),
        *("still_improving", "lr_too_low"),
    ),
    kinds=LABELLED,
)
def rare_classes(task: BenchTask, draw: Draw) -> None:
    """One class in every split, the others rare: 1 in 15 (mild) or 1 in 60 of its size."""
    kept = draw.pick(mild=1 / 15, severe=1 / 60)

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        labels = targets.flatten().long()
        common = labels == 1
        rare = torch.rand(len(labels), generator=generator_of(draw, split)) < kept
        for each in torch.unique(labels):  # one of each class stays
            rare[(labels == each).nonzero()[0]] = True
        rows = (common | rare).nonzero().flatten()
        return inputs[rows], targets[rows]

    task.change_data(change)


@fault(32, "small_validation_set", kinds=CLASSES)
def tiny_validation_set(task: BenchTask, draw: Draw) -> None:
    """Thirty or fifteen validation samples, some of them hard."""
    count = round(draw.pick(mild=30, severe=15))

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        if split == "val":
            inputs, targets = inputs[:count], targets[:count]
            # Blurred, so that the accuracy is not 100 %, where no size would be too small.
            noise = torch.randn(inputs.shape, generator=generator_of(draw))
            inputs = inputs + 1.0 * noise
        return inputs, targets

    task.change_data(change)


# Two inputs are left, so every one of validation stands in train, and a unit has two
# chances to be above zero.
@fault(
    10,
    "cannot_overfit",
    also=("noisy_labels", "underfitting", "stuck_at_chance", "train_val_overlap", "dead_relu"),
    only=("severe",),
)
def inputs_cut_to_a_bit(task: BenchTask, draw: Draw) -> None:
    """All but one bit of every input is lost: equal inputs carry different targets."""

    def change(split: SplitName, inputs: Tensor, targets: Tensor) -> Pair:
        bit = (inputs.flatten(1).mean(1) > 0).float() * 2 - 1
        return bit.reshape(-1, *[1] * (inputs.ndim - 1)).expand_as(inputs).contiguous(), targets

    task.change_data(change)
