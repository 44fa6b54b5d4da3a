"""A logged run as the evidence that the product's own rules read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recipes.description import (
    InputDescription,
    OverlapDescription,
    RegularisationDescription,
    SplitDescription,
    TargetDescription,
    TaskDescription,
)
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.trial_series import (
    EMPTY_SERIES,
    EpochSeries,
    TrialSeries,
)
from recipes.features import finite_prefix
from recipes.space import ParameterValue, SearchSpace
from recipes.task import Kind
from recipes.training_logs.run import LoggedRun
from recipes.trend import Array
from recipes.trial import TrialPurpose

UNKNOWN_SIZE = "unknown size"
"""A batch size in a sentence where the log tells none."""


@dataclass(frozen=True, eq=False)
class LoggedSeries(TrialSeries):
    """The numbers of a run that was not made here.

    Attributes:
        measured: Its curves by (metric, split). The untrained model was not measured, so
            index 0 is NaN.
        eval_mode: Whether train metrics are of the finished epoch's model in eval mode.
    """

    measured: Mapping[tuple[str, str], EpochSeries] = field(kw_only=True)
    eval_mode: bool = field(kw_only=True)

    @property
    def is_train_in_eval_mode(self) -> bool:
        """As the log's owner says; a running mean over the epoch otherwise."""
        return self.eval_mode

    def series(self, metric: str, split: str) -> EpochSeries:
        """One metric by evaluation; empty when it was not measured on that split."""
        return self.measured.get((metric, split), EMPTY_SERIES)

    def metrics(self, split: str) -> frozenset[str]:
        """What was measured on a split."""
        return frozenset(metric for metric, on in self.measured if on == split)


def curve_evidence(run: LoggedRun) -> CurveEvidence:
    """What the rules on curves read of a run.

    Standard errors are known for shares alone: sqrt(p (1 - p) / n), the binomial's; on
    training samples only where those are known to be measured in eval mode.
    """
    told = run.inferred
    sizes = {"val": told.num_val, "train": told.num_train if told.train_mode == "eval" else None}
    measured = {
        (metric, split): _series(values, metric, sizes[split])
        for (metric, split), values in run.curves.items()
    }
    epochs = max((len(each) for (_, split), each in measured.items() if split == "val"), default=0)
    params: dict[str, ParameterValue] = {
        "schedule": told.schedule,
        "batch_size": UNKNOWN_SIZE,
    }
    if math.isfinite(told.lr):
        params["lr"] = told.lr
    losses = finite_prefix(run.losses.tolist())
    series = LoggedSeries(
        number=0,
        purpose=TrialPurpose.SEARCH,
        params=params,
        lr=told.lr,
        state=run.state,
        cause=run.cause,
        epochs=epochs,
        iterations=run.iterations,
        evaluations=(),
        losses=losses,
        loss_iterations=run.losses_at[: len(losses)],
        update_ratio=math.nan,
        dead_share=math.nan,
        measured=measured,
        eval_mode=told.train_mode == "eval",
    )
    return CurveEvidence(_description(run), series)


def _series(values: Array, metric: str, n: int | None) -> EpochSeries:
    finite = finite_prefix(values.tolist())
    errors = np.full(len(finite) + 1, np.nan)
    if metric == "accuracy" and n:
        errors[1:] = np.sqrt(finite * (1 - finite) / n)
    return EpochSeries(np.concatenate([[np.nan], finite]), errors, n or 0)


def _description(run: LoggedRun) -> TaskDescription:
    """What is known of the task: next to nothing, and nothing is made up.

    The loss counts as the task's own: no formula for it is taken to hold.
    """
    told = run.inferred
    kind: Kind = told.kind  # type: ignore[assignment]
    return TaskDescription(
        name=run.name,
        kind=kind,
        num_classes=told.num_classes,
        metric=told.metric,
        direction=told.direction,
        space=SearchSpace({}),
        has_space=False,
        expected_initial_loss=None,
        ignore_index=None,
        own_loss=True,
        default_batch_size=0,
        default_optimizer="",
        splits=tuple(
            SplitDescription(name=name, num_samples=count or 0, origin="task")
            for name, count in (("train", told.num_train), ("val", told.num_val))
        ),
        inputs=InputDescription(
            shape=(),
            dtype="",
            num_looked_at=0,
            mean=math.nan,
            sd=math.nan,
            low=math.nan,
            high=math.nan,
            feature_sd_ratio=math.nan,
            num_constant_features=0,
            num_non_finite=0,
            first_non_finite=None,
        ),
        targets=TargetDescription(
            shape=(), dtype="", low=math.nan, high=math.nan, mean=math.nan, variance=math.nan
        ),
        overlap=OverlapDescription(),
        num_parameters=0,
        parameters=(),
        has_batch_norm=False,
        outputs=None,
        loss_error=None,
        regularisation=RegularisationDescription(),
        digest="",
        device="",
    )
