"""Everything the recipe needs to know of a task before its first run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recipes.description import (
    RegularisationDescription,
    SplitDescription,
    TaskDescription,
)
from recipes.fusing import Fusing
from recipes.memory_format import MemoryFormat
from recipes.space import SearchSpace
from recipes.task import Task
from worker.data.data import Split, TaskData
from worker.describe.checks.attributes import search_space
from worker.describe.checks.faithful import smallest_momentum
from worker.describe.checks.inputs import describe_inputs, mean_and_sd, non_finite_samples
from worker.describe.checks.model import build_model, has_batch_norm
from worker.describe.checks.overlap import describe_overlap
from worker.describe.checks.probe import Probe, probe_model
from worker.describe.checks.settings import check_settings
from worker.describe.checks.targets import describe_targets, samples_out_of_range
from worker.describe.errors import located_in, raised, task_error
from worker.describe.loader import task_digest, task_file
from worker.describe.memory_format import measure_memory_format
from worker.describe.objective import objective
from worker.fused.measuring import measure_fusing
from worker.training.evaluation import evaluate
from worker.training.hyperparameters import Hyperparameters
from worker.training.losses import has_own_loss

METRIC_SAMPLES = 64
"""On which the task's metrics are tried: batches of four."""
CHANNELS_LAST = "with channels last in memory, which together they would not have"
"""Why trials train one by one, as a part of a sentence."""


def describe(
    task: Task, data: TaskData, *, device: torch.device, measures_fusing: bool = False
) -> TaskDescription:
    """Measure a task: its data, its model's outputs and gradients. Nothing is judged here.

    The model stands in the middle of the space. Labels the loss cannot score and
    non-finite values are counted, and kept away from the model.

    Args:
        task: As ``load_task`` made it.
        data: As ``load_data`` made it, on ``device``.
        device: Where the model runs.
        measures_fusing: Whether to find out what training together and channels last gain, which
            takes about a second; else trials train one by one, as the task was written.

    Raises:
        TaskError: The task cannot be used: its model raises or returns the wrong shape, or
            its metric is not there; says where and the cure.
    """
    file = task_file(task)
    space = search_space(task)
    check_settings(space, file=file)
    settings = Hyperparameters.from_params(space.center())
    train = data["train"]
    looks = {name: split.samples.look() for name, split in data.splits.items()}
    inputs, targets = looks["train"]
    with located_in(task, "model", file):
        model = build_model(task, space.center(), device=device, file=file)
        probe = probe_model(task, model, inputs, targets, device=device, file=file)
    metric, direction = objective(task)
    fusing, memory_format = Fusing(chunk=1), MemoryFormat()
    if probe.loss_error is None:
        is_bad = non_finite_samples(inputs) | non_finite_samples(targets)
        sound = (~is_bad).nonzero().squeeze(1)[:METRIC_SAMPLES]
        _check_metric(task, model, train, sound, metric, file)
        if measures_fusing:
            fusing, memory_format = _how_to_train(task, data, space)
    elif measures_fusing:
        fusing = Fusing(chunk=1, reason="the loss of a batch could not be taken")
    return TaskDescription(
        name=type(task).__name__,
        kind=task.kind,
        num_classes=task.num_classes,
        metric=metric,
        direction=direction,
        space=space,
        has_space=getattr(task, "space", None) is not None,
        expected_initial_loss=task.expected_initial_loss,
        ignore_index=task.ignore_index,
        own_loss=has_own_loss(task),
        default_batch_size=min(settings.batch_size, train.num_samples),
        default_optimizer=settings.optimizer.name,
        splits=tuple(
            _describe_split(task, split, looks[split.name]) for split in data.splits.values()
        ),
        inputs=describe_inputs(inputs),
        targets=describe_targets(task, targets),
        overlap=describe_overlap(looks["train"], looks["val"]),
        num_parameters=sum(each.numel() for each in model.parameters()),
        parameters=probe.parameters,
        has_batch_norm=has_batch_norm(model),
        batch_norm_momentum=smallest_momentum(model),
        outputs=probe.outputs,
        loss_error=probe.loss_error,
        regularisation=_regularisation(task, settings, probe),
        digest=task_digest(task),
        device=str(device),
        fusing=fusing,
        memory_format=memory_format,
    )


def _how_to_train(task: Task, data: TaskData, space: SearchSpace) -> tuple[Fusing, MemoryFormat]:
    """Together, or one by one with channels last: those that train together do without.

    A processor's convolutions gain more by the format than by company, a GPU's by company.
    """
    memory_format = MemoryFormat()
    if data.device.type == "cpu":
        memory_format = measure_memory_format(task, data, space)
        if memory_format.name == "channels_last":
            return Fusing(chunk=1, reason=CHANNELS_LAST), memory_format
    fusing = measure_fusing(task, data, space)
    if data.device.type != "cpu" and not fusing.is_ever_worth:
        memory_format = measure_memory_format(task, data, space)
    return fusing, memory_format


def _describe_split(task: Task, split: Split, look: tuple[Tensor, Tensor]) -> SplitDescription:
    inputs, targets = look
    not_finite = non_finite_samples(inputs) | non_finite_samples(targets)
    input_mean, input_sd = mean_and_sd(inputs) or (None, None)
    return SplitDescription(
        name=split.name,
        num_samples=split.num_samples,
        origin=split.origin,
        num_non_finite=int(not_finite.sum()),
        num_out_of_range=int(samples_out_of_range(task, targets).sum()),
        input_mean=input_mean,
        input_sd=input_sd,
    )


def _regularisation(
    task: Task, settings: Hyperparameters, probe: Probe
) -> RegularisationDescription:
    own = settings.without_regularisation()[1]
    augmentation = ("augment",) if hasattr(task, "augment") else ()
    hidden = ("something random in the model's forward: two passes in train mode differ",)
    return RegularisationDescription(
        switched_off=(*own, *augmentation, *probe.switched_off),
        left_on=hidden if probe.train_passes_differ else (),
    )


def _check_metric(
    task: Task, model: nn.Module, train: Split, indices: Tensor, metric: str, file: str | None
) -> None:
    """Whether an evaluation of these samples gives the metric that shall decide."""
    try:
        found = evaluate(task, model, train, indices, split="train", iteration=0).metrics
    except Exception as error:
        raise raised(
            error,
            "the task's metrics could not be measured",
            cure="correct metrics(output, target); it returns a mapping of names to numbers",
            file=file,
        ) from error
    if metric not in found:
        is_named = getattr(task, "objective", None) is not None
        who = "`objective` names" if is_named else f"a {task.kind} task is judged by"
        raise task_error(
            f"{who} the metric {metric!r}, and an evaluation gives {', '.join(sorted(found))}",
            cure="name one of these, or return it from metrics(output, target)",
            file=file,
        )
