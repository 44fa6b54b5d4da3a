"""Drawing a fixed subset of samples, the classes in the shares they have."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_stratified(labels: Tensor | None, num_samples: int, num: int, seed: int) -> Tensor:
    """Which samples a subset holds.

    Each class gets its share of ``num``, rounded so that the total fits (largest
    remainders first, ties by a draw), and its members are drawn without replacement.

    Args:
        labels: int64 (num_samples,), one label a sample; None draws from all alike.
        num_samples: How many there are.
        num: How many to draw; all when there are no more.
        seed: Draws them.

    Returns:
        int64 (min(num, num_samples),), rising, on the CPU.

    Raises:
        ValueError: ``num`` is below 1.
    """
    if num < 1:
        raise ValueError(f"num is {num}; draw at least one sample")
    if num >= num_samples:
        return torch.arange(num_samples)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(num_samples, generator=generator)
    if labels is None:
        return shuffled[:num].sort().values
    # Classes in rising order. torch ships the method untyped.
    classes, counts = labels.unique(return_counts=True)  # type: ignore[no-untyped-call]
    quotas = _quotas(counts, num, generator)
    in_order = labels[shuffled]
    chosen = [
        shuffled[in_order == label][:quota]
        for label, quota in zip(classes, quotas.tolist(), strict=True)
        if quota
    ]
    return torch.cat(chosen).sort().values


def _quotas(counts: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """``num`` shared out in proportion to ``counts``: Hamilton's largest remainders."""
    shares = counts.double() * num / counts.sum()
    quotas = shares.floor().long()
    remainders = shares - quotas
    lots = torch.rand(len(counts), generator=generator, dtype=torch.float64)
    order = sorted(range(len(counts)), key=lambda i: (-float(remainders[i]), float(lots[i])))
    quotas[order[: num - int(quotas.sum())]] += 1
    return quotas
