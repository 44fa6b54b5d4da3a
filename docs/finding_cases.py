"""Which run each finding's picture shows: a cell of the fault bench, or a small search.

Only base tasks of the bench's calibration half: nobody looks at the other one here.
"""

from __future__ import annotations

from collections.abc import Mapping

import finding_figures as figures
import torch
from finding_runs import Case, Drawing, Ran, Run, Search

from recipes.rules.double_softmax import loss_floor
from recipes.rules.update_ratio import HIGH, LOW
from recipes.space import Float, Int
from recipes.step import Figure, TrialResult
from recipes.study import SearchOptions

CHANCE = 0.1
"""Accuracy of guessing among the digits."""


def loss(ran: Ran, twin: TrialResult | None) -> Figure:
    """Train and validation loss."""
    return figures.loss(ran.run, twin)


def accuracy(ran: Ran, twin: TrialResult | None) -> Figure:
    """Train and validation accuracy."""
    return figures.metric(ran.run, twin)


def accuracy_and_chance(ran: Ran, twin: TrialResult | None) -> Figure:
    """The same with the accuracy of guessing."""
    return figures.metric(ran.run, twin, lines={"guessing": CHANCE})


def gradients(ran: Ran, twin: TrialResult | None) -> Figure:
    """The gradient's norm."""
    return figures.gradients(ran.run, twin)


def floor_of_softmax(ran: Ran, twin: TrialResult | None) -> Figure:
    """The loss above the lowest one that probabilities can reach as logits."""
    classes = ran.study.description.num_classes or 2
    return figures.loss(ran.run, twin, lines={"lowest possible": loss_floor(classes)})


def small_updates(ran: Ran, twin: TrialResult | None) -> Figure:
    """Update ratios under the lower threshold."""
    return figures.update_ratio(ran.run, twin, lines={"too small under": LOW})


def large_updates(ran: Ran, twin: TrialResult | None) -> Figure:
    """Update ratios above the upper threshold."""
    return figures.update_ratio(ran.run, twin, lines={"too large above": HIGH})


def counts(ran: Ran, twin: TrialResult | None) -> Figure:
    """Training samples by class."""
    del twin
    found = ran.study.description.targets.class_counts or ()
    return figures.bars(
        "",
        [str(label) for label in range(len(found))],
        [float(each) for each in found],
        "samples",
        f"Training samples by class, {min(found)} to {max(found)}.",
    )


def labels(ran: Ran, twin: TrialResult | None) -> Figure:
    """Training samples by label, those included that are no class."""
    del twin
    train = ran.study.data["train"]
    _, targets = train.batch(torch.arange(train.num_samples))
    found = torch.bincount(targets.flatten().to(torch.int64))
    return figures.bars(
        "",
        [str(label) for label in range(len(found))],
        [float(each) for each in found],
        "samples",
        f"Training samples by label, 0 to {len(found) - 1}.",
    )


def of_step(name: str) -> Drawing:
    """A figure of a step's report."""

    def drawing(ran: Ran, twin: TrialResult | None) -> Figure:
        del twin
        return ran.figure(name)

    return drawing


LR = Float(1e-4, 1.0, log=True)

CASES: Mapping[str, Case] = {
    # data and setup
    "class_imbalance": Run("One class outweighs another", counts, "rare_classes", last_step=1),
    "inputs_not_normalised": Run(
        "Raw inputs, and the same standardised", loss, "raw_inputs", last_step=1
    ),
    "labels_out_of_range": Run(
        "Labels that count from 1", labels, "labels_counted_from_one", last_step=1
    ),
    "non_finite_data": Run(
        "The loss from the first bad batch on", loss, "missing_values", last_step=1
    ),
    "train_val_overlap": Run(
        "Validation samples that stand in train too", accuracy, "leaked_validation", last_step=1
    ),
    "non_finite_loss": Run("The logarithm of zero", loss, "log_of_zero"),
    "diverged": Run("A loss that shoots up", loss, task="diabetes", lr=1.5, last_step=1),
    "batch_mixing": Run(
        "Samples that see their neighbours", loss, "reshaped_across_batch", last_step=1
    ),
    "batch_norm_small_batch": Run(
        "Batch norm over batches of two", accuracy, "tiny_normed_batches", task="patches_residual"
    ),
    "double_softmax": Run(
        "Softmax before a loss that has its own",
        floor_of_softmax,
        "softmax_before_loss",
        last_step=1,
    ),
    "ignores_input": Run(
        "A small sample, and the same without its inputs",
        of_step("overfit_sample"),
        "input_multiplied_by_zero",
        twin=False,
        last_step=2,
    ),
    "penalty_in_loss": Run(
        "A penalty on the weights in the loss", loss, "penalty_in_loss", last_step=1
    ),
    "sum_reduction": Run("A loss that sums over the batch", loss, "summed_loss", last_step=1),
    "missing_zero_grad": Run("Gradients that add up", loss, "gradients_add_up", last_step=1),
    "train_eval_mismatch": Run(
        "Running averages that do not follow", loss, "stale_batch_norm", task="patches_residual"
    ),
    "wrong_output_activation": Run("A ReLU on the outputs", loss, "relu_on_outputs", last_step=1),
    "activation_scale_drift": Run(
        "Weights that are far too small",
        of_step("activations"),
        "tiny_weights",
        last_step=1,
        twin=False,
    ),
    "dead_relu": Run("Most units of a layer dead", loss, "dead_units", last_step=1),
    "exploding_gradient": Run(
        "A gradient that explodes", gradients, "growing_activations", last_step=1
    ),
    "frozen_parameters": Run("Layers that do not train", loss, "frozen_layers", last_step=1),
    "saturated_activation": Run("Saturated tanh units", loss, "saturated_tanh", last_step=1),
    "vanishing_gradient": Run("A gradient that vanishes", gradients, "deep_sigmoids", twin=False),
    "initial_loss_high": Run(
        "Five untrained models, and chance",
        of_step("initial_loss"),
        "large_outputs",
        twin=False,
        last_step=1,
    ),
    "initial_loss_low": Run(
        "Five untrained models, and chance",
        of_step("initial_loss"),
        "padded_mean",
        twin=False,
        last_step=1,
    ),
    # learning
    "cannot_overfit": Run(
        "A small sample that is not memorised",
        of_step("overfit_sample"),
        "too_small_a_model",
        twin=False,
        last_step=2,
    ),
    "constant_prediction": Run(
        "One answer for every sample", accuracy_and_chance, "gradients_add_up"
    ),
    "schedule_misfit": Run("A warm-up without end", loss, "warm_up_without_end"),
    "loss_rising": Run("A loss that is climbed", loss, "gradients_add_up"),
    "stuck_at_chance": Run(
        "A small sample at chance",
        of_step("overfit_sample"),
        "input_multiplied_by_zero",
        twin=False,
        last_step=2,
    ),
    "val_below_chance": Run(
        "Classes in another order on validation", accuracy_and_chance, "classes_in_other_order"
    ),
    "lr_too_high": Run("A rate that is too high", loss, "rate_too_high", "mild"),
    "lr_too_low": Run("A rate that is too low", loss, "rate_too_low"),
    "noisy_labels": Run("Shuffled labels", accuracy_and_chance, "shuffled_labels", last_step=3),
    "flat_then_drop": Run("A long way out of a bad start", loss, "tiny_weights", "mild"),
    "update_ratio_high": Run(
        "Steps too large for the weights", large_updates, "rate_explodes", last_step=3
    ),
    "update_ratio_low": Run(
        "Steps too small for the weights", small_updates, "rate_too_low", task="patches_residual"
    ),
    # noise
    "loss_spikes": Run(
        "Leaps that come back", loss, "corrupt_batches", "mild", task="patches_residual"
    ),
    "noisy_loss": Run("A loss that scatters", loss, "epoch_in_order"),
    "oscillation": Run(
        "Accuracy that swings",
        accuracy,
        "corrupt_batches",
        task="patches_residual",
        seed=1,
        lr=0.05,
    ),
    "periodic_loss": Run("Samples in the same order every epoch", loss, "epoch_in_order"),
    "small_validation_set": Run(
        "A handful of validation samples", accuracy, "tiny_validation_set"
    ),
    # fit
    "overfitting": Run("Few samples, memorised", accuracy, "little_data"),
    "overtraining": Run("Validation loss that turns", loss, "trained_too_long", task="cancer"),
    "still_improving": Run("A run that ended too soon", loss, "stopped_too_early"),
    "underfitting": Run("A model that cannot say more", accuracy, "heavy_weight_decay", "mild"),
    "val_better_than_train": Run(
        "Validation easier than training", accuracy, "noisy_training_labels"
    ),
    "healthy": Run("A healthy run", accuracy, twin=False),
    "inconclusive": Run("Three epochs", accuracy, epochs=3, twin=False),
    # the search
    "best_at_edge": Search(
        "The best trials at the end of the range",
        {"lr": Float(1e-5, 3e-3, log=True), "width": Int(32, 128, log=True)},
        "search_lr",
    ),
    "many_diverged": Search(
        "A range that reaches too high",
        {"lr": Float(1e-2, 1e3, log=True), "width": Int(8, 32, log=True)},
        "search_lr",
        task="diabetes",
    ),
    "insensitive_hyperparameter": Search(
        "What decides, and what does not",
        {"lr": Float(1e-4, 1e-1, log=True), "width": Int(60, 64), "momentum": Float(0.0, 0.1)},
        "importance",
    ),
    "within_noise": Search(
        "Finalists that cannot be told apart",
        {"lr": Float(2e-2, 1e-1, log=True), "width": Int(60, 70)},
        "finalists",
        steps=(4, 5),
        options=SearchOptions(
            coarse_trials=8, coarse_epochs=3, fine_trials=8, fine_epochs=10, early_discard=False
        ),
    ),
}
"""By code. Those that are missing have no picture, and their pages say why."""
