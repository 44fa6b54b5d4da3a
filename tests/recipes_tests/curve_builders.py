"""Trials with curves of a known shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.curve import Curve
from recipes.description import TaskDescription
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.trial_series import trial_series
from recipes.outcome import Evaluation, Moments
from recipes.space import ParameterValue
from recipes.step import TrialResult
from recipes.trial import TrialPurpose
from tests.recipes_tests.builders import description, moments, outcome

ITERATIONS_PER_EPOCH = 20
Values = Sequence[float] | NDArray[np.float64]


def share(value: float, n: int) -> Moments:
    """Moments of n right-or-wrong answers."""
    return Moments(total=value * n, total_squares=value * n, n=n)


def read_trial(
    number: int = 0,
    *,
    train_loss: Values = (),
    val_loss: Values = (),
    train: Values = (),
    val: Values = (),
    metric: str = "accuracy",
    n_train: int = 1_000,
    n_val: int = 1_000,
    losses: Values = (),
    ratio: float | None = None,
    params: Mapping[str, ParameterValue] | None = None,
    purpose: TrialPurpose = TrialPurpose.SEARCH,
    round_number: int = 1,
    step: int = 5,
    label: str = "",
    **of_outcome: Any,
) -> TrialResult:
    """A trial evaluated before training and after every epoch.

    Series are told from the untrained model on; a metric is left out where its series is
    empty. ``losses`` is the train loss by iteration.
    """
    series = {"train": (train_loss, train, n_train), "val": (val_loss, val, n_val)}
    evaluations = []
    for split, (loss, score, n) in series.items():
        for epoch, value in enumerate(loss):
            metrics = {"loss": moments(float(value), 0.5, n)}
            if len(score) > epoch:
                given = float(score[epoch])
                metrics[metric] = share(given, n) if metric == "accuracy" else moments(given, 1, n)
            iteration = epoch * ITERATIONS_PER_EPOCH
            evaluations.append(Evaluation(split=split, iteration=iteration, metrics=metrics))
    curves = {}
    if len(losses):
        values = tuple(map(float, losses))
        curves[("loss", "train")] = Curve(tuple(range(len(values))), values)
    if ratio is not None:
        curves[("update_ratio", "train")] = Curve((0, 50, 100), (1.0, ratio, ratio))
    return TrialResult(
        number=number,
        purpose=purpose,
        label=label,
        params={"lr": 1e-1, "weight_decay": 1e-4, **(params or {})},
        outcome=outcome(
            number,
            **{
                "iterations": len(losses) or ITERATIONS_PER_EPOCH * max(0, len(val_loss) - 1),
                "evaluations": tuple(evaluations),
                **of_outcome,
            },
        ),
        curves=curves,
        step=step,
        round=round_number,
    )


def evidence(
    trial: TrialResult,
    *,
    peers: Sequence[TrialResult] = (),
    task: TaskDescription | None = None,
    **fields: Any,
) -> CurveEvidence:
    """One trial's curves among its peers'."""
    others = [trial_series(peer) for peer in peers]
    return CurveEvidence(task or description(), trial_series(trial), others, **fields)


def falling(start: float, end: float, epochs: int, *, half_life: float = 2.0) -> Any:
    """From ``start`` towards ``end``, float64 (epochs + 1,)."""
    return end + (start - end) * 0.5 ** (np.arange(epochs + 1) / half_life)


def healthy_trial(number: int = 0, *, epochs: int = 20, **fields: Any) -> TrialResult:
    """A good run: 99.5 % on training, 97 % on validation, both settled."""
    given: dict[str, Any] = {
        "train_loss": falling(2.3, 0.02, epochs),
        "val_loss": falling(2.3, 0.1, epochs),
        "train": falling(0.1, 0.995, epochs),
        "val": falling(0.1, 0.97, epochs),
        "losses": falling(2.3, 0.02, 399, half_life=30),
        "ratio": 1e-3,
    }
    return read_trial(number, **{**given, **fields})
