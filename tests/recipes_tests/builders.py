"""Small descriptions and trials to judge, healthy unless told otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from recipes.curve import Curve, CurveKey
from recipes.description import (
    InputDescription,
    OutputDescription,
    OverlapDescription,
    ParameterDescription,
    RegularisationDescription,
    SplitDescription,
    TargetDescription,
    TaskDescription,
)
from recipes.outcome import (
    Evaluation,
    Initialisation,
    LayerStatistics,
    MemberOutcome,
    Moments,
)
from recipes.space import Float, Int, ParameterValue, SearchSpace
from recipes.step import StepContext, StepReport, TrialResult
from recipes.trial import TrialCause, TrialPurpose, TrialState

SPACE = SearchSpace(
    {
        "lr": Float(1e-5, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(32, 128, log=True),
    }
)


def description(**changes: Any) -> TaskDescription:
    """A healthy ten-class task; any field can be replaced."""
    fields: dict[str, Any] = {
        "name": "Digits",
        "kind": "classification",
        "num_classes": 10,
        "metric": "accuracy",
        "direction": "maximize",
        "space": SPACE,
        "has_space": True,
        "expected_initial_loss": None,
        "ignore_index": None,
        "default_batch_size": 64,
        "default_optimizer": "sgd",
        "splits": (
            SplitDescription(name="train", num_samples=1000, origin="task"),
            SplitDescription(name="val", num_samples=300, origin="made"),
        ),
        "inputs": inputs(),
        "targets": targets(),
        "overlap": OverlapDescription(),
        "num_parameters": 700,
        "parameters": (
            ParameterDescription(name="fc1.weight", shape=(64, 10), trainable=True, reached=True),
            ParameterDescription(name="fc1.bias", shape=(10,), trainable=True, reached=True),
        ),
        "has_batch_norm": False,
        "outputs": outputs(),
        "loss_error": None,
        "regularisation": RegularisationDescription(),
        "digest": "0" * 64,
        "device": "cpu",
    }
    return TaskDescription.model_validate({**fields, **changes})


def inputs(**changes: Any) -> InputDescription:
    fields: dict[str, Any] = {
        "shape": (64,),
        "dtype": "float32",
        "num_looked_at": 1000,
        "mean": 0.0,
        "sd": 1.0,
        "low": -1.5,
        "high": 2.5,
        "feature_sd_ratio": 3.0,
        "num_constant_features": 0,
        "num_non_finite": 0,
        "first_non_finite": None,
    }
    return InputDescription.model_validate({**fields, **changes})


def targets(**changes: Any) -> TargetDescription:
    fields: dict[str, Any] = {
        "shape": (),
        "dtype": "int64",
        "low": 0,
        "high": 9,
        "mean": 4.5,
        "variance": 8.25,
        "class_counts": (100,) * 10,
        "entropy": math.log(10),
    }
    return TargetDescription.model_validate({**fields, **changes})


def constant_targets(value: float) -> TargetDescription:
    """Targets of a regression that are all the same."""
    return targets(
        dtype="float32",
        mean=value,
        variance=0.0,
        class_counts=(),
        entropy=None,
        low=value,
        high=value,
    )


def outputs(**changes: Any) -> OutputDescription:
    fields: dict[str, Any] = {
        "shape": (10,),
        "rows_sum_to_one": False,
        "in_unit_interval": False,
        "mixes_batch": False,
        "loss_is_cross_entropy": True,
        "loss_ratio_when_doubled": 1.0,
        "train_passes_differ": False,
    }
    return OutputDescription.model_validate({**fields, **changes})


def regression(**changes: Any) -> TaskDescription:
    """A healthy regression task with targets of mean 0 and variance 1."""
    fields: dict[str, Any] = {
        "kind": "regression",
        "num_classes": None,
        "metric": "r2",
        "targets": targets(
            dtype="float32", mean=0.0, variance=1.0, class_counts=(), entropy=None, low=-3, high=3
        ),
        "outputs": outputs(shape=(1,), loss_is_cross_entropy=False),
    }
    return description(**{**fields, **changes})


def moments(mean: float, sd: float = 0.1, n: int = 512) -> Moments:
    """Moments of n samples with that mean and standard deviation."""
    return Moments(total=mean * n, total_squares=n * mean * mean + (n - 1) * sd * sd, n=n)


def initialisation(loss: float | Mapping[str, float] = 2.31, **changes: Any) -> Initialisation:
    fields: dict[str, Any] = {
        "loss": loss if isinstance(loss, Mapping) else moments(loss),
        "output_sd": 0.15,
        "output_spread": 0.1,
        "penalty": 12.0,
        "layers": (
            LayerStatistics(
                name="relu", kind="ReLU", mean=0.2, sd=0.3, zero_share=0.5, dead_share=0.0
            ),
        ),
        "gradients": (),
    }
    return Initialisation.model_validate({**fields, **changes})


def outcome(trial: int = 0, **changes: Any) -> MemberOutcome:
    fields: dict[str, Any] = {
        "trial": trial,
        "state": TrialState.COMPLETE,
        "cause": TrialCause.FINISHED,
        "iterations": 100,
        "seconds": 0.5,
    }
    return MemberOutcome.model_validate({**fields, **changes})


def trial(
    number: int = 0,
    *,
    label: str = "",
    params: Mapping[str, ParameterValue] | None = None,
    losses: Sequence[float] = (),
    accuracies: Sequence[float] = (),
    curves: Mapping[CurveKey, Curve] | None = None,
    **of_outcome: Any,
) -> TrialResult:
    """An ended trial with a train loss (and accuracy) curve."""
    own: dict[CurveKey, Curve] = dict(curves or {})
    if losses:
        own[("loss", "train")] = Curve(tuple(range(len(losses))), tuple(losses))
    if accuracies:
        own[("accuracy", "train")] = Curve(tuple(range(len(accuracies))), tuple(accuracies))
    return TrialResult(
        number=number,
        purpose=TrialPurpose.CHECK,
        label=label,
        params={"lr": 1e-2, **(params or {})},
        outcome=outcome(number, **of_outcome),
        curves=own,
    )


def evaluation(
    split: str, iteration: int, loss: float, sd: float = 0.5, n: int = 300
) -> Evaluation:
    return Evaluation(split=split, iteration=iteration, metrics={"loss": moments(loss, sd, n)})


def context(
    trials: Sequence[TrialResult] = (),
    *,
    task: TaskDescription | None = None,
    history: Sequence[StepReport] = (),
    learned: Mapping[str, Any] | None = None,
    fixed: Mapping[str, ParameterValue] | None = None,
    space: SearchSpace | None = None,
    pass_number: int = 1,
) -> StepContext:
    task = task or description()
    return StepContext(
        seed=7,
        description=task,
        space=task.space if space is None else space,
        fixed=fixed or {},
        learned=learned or {},
        history=history,
        trials=trials,
        pass_number=pass_number,
    )
