"""The untrained model tried on a few samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recipes.description import OutputDescription, ParameterDescription
from recipes.task import Task
from worker.describe.checks.faithful import gradient_growth, mode_difference
from worker.describe.checks.inputs import first, non_finite_samples
from worker.describe.checks.model import SEED, check_output, run_model
from worker.describe.checks.outputs import describe_outputs, train_passes_differ
from worker.describe.checks.parameters import describe_parameters
from worker.describe.checks.penalty import weight_penalty
from worker.describe.checks.targets import samples_out_of_range
from worker.describe.errors import describe_exception
from worker.training.losses import Loss, has_own_loss, mean_loss
from worker.training.regularisation import switch_off
from worker.training.seeding import seed_everything

PROBE_SAMPLES = 64
"""Samples the model is tried on: enough that no unit is idle by chance, few enough for
models that fill a device."""


@dataclass(frozen=True)
class Probe:
    """What the try showed. ``loss_error`` says why a loss could not be taken."""

    outputs: OutputDescription | None
    parameters: tuple[ParameterDescription, ...]
    loss_error: str | None
    switched_off: tuple[str, ...]
    train_passes_differ: bool


def probe_model(
    task: Task,
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    device: torch.device,
    file: str | None,
) -> Probe:
    """Try the model on the first samples that are finite and have targets in range.

    The model is left changed: its dropout is off.

    Args:
        task: The task.
        model: A fresh model, on the device.
        inputs: (N, ...), the samples to choose from.
        targets: (N, ...).
        device: Where the model is.
        file: The task's file, for messages.

    Raises:
        TaskError: The model raises or gives outputs of the wrong shape.
    """
    out_of_range = samples_out_of_range(task, targets)
    highest = int(targets.max()) if task.kind == "classification" else None
    bad = out_of_range | non_finite_samples(inputs) | non_finite_samples(targets)
    rows = (~bad).nonzero().squeeze(1)[:PROBE_SAMPLES]
    if not len(rows):
        switched_off = switch_off(model)
        untried = tuple(
            ParameterDescription(
                name=name, shape=tuple(each.shape), trainable=each.requires_grad, reached=False
            )
            for name, each in model.named_parameters()
        )
        return Probe(None, untried, _unscorable(out_of_range, bad), switched_off, False)
    inputs, targets = inputs[rows].to(device), targets[rows].to(device)
    model.eval()
    with torch.no_grad():
        seed_everything(SEED)
        output = run_model(model, inputs, file=file)
        check_output(task, output, targets, highest_label=highest, file=file)
    loss, loss_error = _try_loss(task, output, targets)
    if bool(out_of_range.any()):
        loss_error = _unscorable(out_of_range, bad)
    outputs = describe_outputs(task, model, inputs, targets, loss=loss, file=file)
    if loss is not None and has_own_loss(task):
        penalty, growth = weight_penalty(model, loss, output, targets)
        outputs = outputs.model_copy(update={"penalty": penalty, "penalty_growth": growth})
    switched_off = switch_off(model)
    differ = len(rows) > 1 and train_passes_differ(model, inputs, file=file)
    if len(rows) > 1 and not differ:
        outputs = outputs.model_copy(
            update={
                "mode_difference": mode_difference(model, inputs, file=file),
                "gradient_growth": None
                if loss is None
                else gradient_growth(model, inputs, targets, loss=loss, file=file),
            }
        )
    parameters = describe_parameters(model, inputs, targets, loss=loss, file=file)
    return Probe(
        outputs.model_copy(update={"train_passes_differ": differ}),
        parameters,
        loss_error,
        switched_off,
        differ,
    )


def _try_loss(task: Task, output: Tensor, targets: Tensor) -> tuple[Loss | None, str | None]:
    """The loss and why it cannot be taken; one of the two is None."""
    loss = mean_loss(task)
    try:
        loss(output, targets)
    except Exception as error:  # user code: whatever it raises is the description's to tell
        return None, f"the loss raised: {describe_exception(error)}"
    return loss, None


def _unscorable(out_of_range: Tensor, bad: Tensor) -> str:
    """Why samples were left out of the probe; labels out of range would crash a GPU's loss."""
    if not bool(out_of_range.any()):
        return f"all {len(bad)} samples looked at hold non-finite values"
    return (
        f"{int(out_of_range.sum())} of {len(bad)} training samples have a target the loss cannot"
        f" score (first at sample {first(out_of_range)}); it was not called with them"
    )
