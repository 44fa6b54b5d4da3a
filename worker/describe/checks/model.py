"""Building a task's model, and what can be seen of it before it has run."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from recipes.space import Params
from recipes.task import Task
from worker.describe.errors import method_line, raised, task_error
from worker.training.metrics import has_own_form, kinds_shape
from worker.training.seeding import seed_everything

SEED = 0
"""Under which the described model is built. What is measured must not hang on luck."""


def build_model(
    task: Task, params: Params, device: torch.device, *, file: str | None
) -> nn.Module:
    """A fresh model for a setting, on the device.

    Raises:
        TaskError: ``model`` raised, or returned something that cannot be trained.
    """
    other = _call(task, params, file)
    seed_everything(SEED)
    model = _call(task, params, file)  # the last one made: a loss may look at its weights
    ours = {id(parameter) for parameter in model.parameters()}
    if other is model or any(id(parameter) in ours for parameter in other.parameters()):
        raise task_error(
            "model(params) returned the same weights twice",
            cure="build a new model at every call: trials must not train each other's weights",
            file=file,
        )
    return model.to(device)


def run_model(model: nn.Module, inputs: Tensor, *, file: str | None) -> Tensor:
    """The model's outputs for a batch, in the mode it is in.

    Raises:
        TaskError: It raised, or returned something that is not one tensor with a row for
            every sample.
    """
    mode = "train" if model.training else "eval"
    try:
        output: object = model(inputs.clone())  # a forward may write into what it is given
    except Exception as error:
        raise raised(
            error,
            f"the model raised on {_form(inputs)} in {mode} mode",
            cure="correct the model, or the shape and type of the inputs that data() returns",
            file=file,
        ) from error
    if not isinstance(output, Tensor):
        raise task_error(
            f"the model returned a {type(output).__name__}, not a tensor",
            cure="return the outputs alone, one tensor with a row for every sample",
            file=file,
        )
    if output.ndim == 0 or len(output) != len(inputs):
        raise task_error(
            f"the model returned {_form(output)} for {_form(inputs)}",
            cure=f"the first dimension must be the samples', here {len(inputs)}",
            file=file,
        )
    return output


def check_output(
    task: Task,
    output: Tensor,
    targets: Tensor,
    *,
    highest_label: int | None = None,
    file: str | None,
) -> None:
    """Whether the outputs (N, ...) have the shape their kind's loss and metrics need.

    A task with a loss and metrics of its own may return any shape: where it is not the kind's,
    the kind's metrics are left out.

    Args:
        task: The task.
        output: Of the model, for some samples.
        targets: Theirs.
        highest_label: Of all training samples of a classification task.
        file: The task's file, for messages.

    Raises:
        TaskError: They have not.
    """
    if has_own_form(task):
        return
    num, rest = targets.shape[0], tuple(targets.shape[1:])
    expected = kinds_shape(task, targets)
    if task.kind == "classification":
        cure = _class_cure(task, output, highest_label)
        if rest == (1,):
            cure = "give targets as (N,): targets.squeeze(1)"
        elif rest == (task.num_classes,) and tuple(output.shape) == (num, task.num_classes):
            cure = "give class numbers for one-hot targets: targets.argmax(1)"
        elif output.ndim == len(expected) and output.shape[-1] == task.num_classes and rest:
            cure = "put the classes second: output.movedim(-1, 1)"
    else:
        cure = "give outputs and targets one shape"
        if output.numel() == targets.numel():
            cure += (
                ": output.squeeze(-1)" if output.ndim > targets.ndim else ": targets.unsqueeze(-1)"
            )
    if tuple(output.shape) != expected:
        raise task_error(
            f"the model's output for {num} samples has shape {tuple(output.shape)};"
            f" a {task.kind} task needs {expected}",
            cure=cure,
            file=file,
            line=method_line(task, "model", file),
        )


def _class_cure(task: Task, output: Tensor, highest_label: int | None) -> str:
    """What to do when the outputs' number is not that of the classes."""
    ours = task.num_classes
    cure = f"end the model with {ours} outputs, one logit a class"
    if output.ndim < 2 or output.shape[1] == ours:
        return cure
    theirs = output.shape[1]
    if highest_label == theirs - 1:
        return f"set num_classes = {theirs}: the labels go up to {highest_label}"
    return f"{cure}, or set num_classes = {theirs} if there are so many"


def has_batch_norm(model: nn.Module) -> bool:
    """Whether a module normalises over the batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


def _call(task: Task, params: Params, file: str | None) -> nn.Module:
    try:
        model: object = task.model(params)
    except Exception as error:
        setting = ", ".join(f"{name}={value!r}" for name, value in params.items())
        raise raised(
            error,
            f"model(params) raised for {setting}",
            cure="correct it; params holds every name of the space",
            file=file,
        ) from error
    if not isinstance(model, nn.Module):
        is_class = isinstance(model, type) and issubclass(model, nn.Module)
        name = model.__name__ if isinstance(model, type) else type(model).__name__
        raise task_error(
            f"model(params) returned {'the class' if is_class else 'a'} {name},"
            " not a torch.nn.Module",
            cure=f"return {name}(...), an object of it" if is_class else "return the model",
            file=file,
        )
    parameters = list(model.parameters())
    if not parameters:
        raise task_error(
            "the model has no parameters",
            cure="keep its layers as attributes (self.fc = ...), lists of them in nn.ModuleList",
            file=file,
        )
    if any(isinstance(parameter, UninitializedParameter) for parameter in parameters):
        raise task_error(
            "the model has lazy layers, whose sizes are unknown until it runs",
            cure="give the sizes: nn.Linear(in, out) for nn.LazyLinear(out)",
            file=file,
        )
    return model


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
