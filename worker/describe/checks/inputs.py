"""The training inputs: scale, range and non-finite values."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recipes.description import InputDescription

MAX_LOOKED_AT = 20_000
"""Samples the statistics are taken over: their standard error is then under 1 % of an sd."""
CONSTANT_SHARE = 0.99
"""A feature that has one value in more than this share of samples counts as constant: its
sd says how rare the other values are (an image's corner pixels), not how it is scaled."""


def describe_inputs(inputs: Tensor) -> InputDescription:
    """Measure inputs (N, ...); tokens and other whole numbers are measured as numbers.

    Non-finite values are sought in all of them; the statistics are the first 20,000's.

    ``feature_sd_ratio`` compares features of (N, F), channels of (N, C, H, W), and of
    (N, A, B) the slices along the shorter axis: a sequence's features, an audio clip's
    channels. Axes of equal length (a grey image) are not compared.
    """
    bad = non_finite_samples(inputs)
    finite = inputs[:MAX_LOOKED_AT].float()
    if bad.any():
        finite = finite[~bad[:MAX_LOOKED_AT]]
    sds = _feature_sds(finite)
    varying = sds[~torch.isnan(sds)]
    measured = finite.numel() > 0
    return InputDescription(
        shape=tuple(inputs.shape[1:]),
        dtype=str(inputs.dtype).removeprefix("torch."),
        num_looked_at=len(inputs),
        mean=float(finite.mean()) if measured else float("nan"),
        sd=float(finite.std(correction=0)) if measured else float("nan"),
        low=float(finite.min()) if measured else float("nan"),
        high=float(finite.max()) if measured else float("nan"),
        feature_sd_ratio=float(varying.max() / varying.min()) if len(varying) else 1.0,
        num_constant_features=len(sds) - len(varying),
        num_non_finite=int(bad.sum()),
        first_non_finite=first(bad),
    )


def mean_and_sd(inputs: Tensor) -> tuple[float, float] | None:
    """Mean and sd of float inputs (N, ...), over what is finite of the first 20,000 samples.

    None for whole numbers, and where nothing is finite.
    """
    if not inputs.is_floating_point():
        return None
    finite = inputs[:MAX_LOOKED_AT].float()
    if not _is_all_finite(finite):
        finite = finite[torch.isfinite(finite)]
    if not finite.numel():
        return None
    mean, sd = float(finite.mean()), float(finite.std(correction=0))
    return (mean, sd) if math.isfinite(mean) and math.isfinite(sd) else None


def non_finite_samples(values: Tensor) -> Tensor:
    """Which samples of (N, ...) hold a NaN or an infinity: bool (N,)."""
    if not values.is_floating_point() or _is_all_finite(values):
        return torch.zeros(len(values), dtype=torch.bool, device=values.device)
    return ~torch.isfinite(values).reshape(len(values), -1).all(1)


def _is_all_finite(values: Tensor) -> bool:
    """Whether nothing among them is NaN or infinite; False also where their sum overflows.

    A tenth of the time that a look at each takes, and nearly always all there is to say.
    """
    return bool(torch.isfinite(values.sum()))


def first(bad: Tensor) -> int | None:
    """The index of the first True of a bool (N,); None when there is none."""
    return int(bad.int().argmax()) if bool(bad.any()) else None


def _feature_sds(values: Tensor) -> Tensor:
    """Standard deviation of each feature or channel, (F,); NaN for a constant one."""
    if not len(values):
        return torch.empty(0)
    columns = _columns(values)
    typical = columns[[0, len(columns) // 2, -1]]  # a near-constant feature's value is among them
    shares = torch.stack([(columns == row).float().mean(0) for row in typical])
    is_constant = shares.amax(0) > CONSTANT_SHARE
    return columns.std(0, correction=0).masked_fill(is_constant, float("nan"))


def _columns(values: Tensor) -> Tensor:
    """(N, ...) as (rows, features)."""
    if values.ndim <= 2:
        return values.reshape(len(values), -1)
    if values.ndim == 3:
        _, rows, columns = values.shape
        if rows == columns:
            return values.reshape(-1, 1)
        return values.reshape(-1, columns) if columns < rows else _channels_last(values)
    return _channels_last(values)


def _channels_last(values: Tensor) -> Tensor:
    return values.movedim(1, -1).reshape(-1, values.shape[1])
