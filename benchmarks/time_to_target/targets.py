"""Validation accuracies to reach: fixed before any tool but random search was looked at.

``--pilot`` makes them: the medians of plain random search's best so far after a quarter, a
half and all of the time, with seeds of its own that no measured cell has.
"""

from __future__ import annotations

PILOT_SHARES = (0.25, 0.5, 1.0)
PILOT_SEEDS = (1_001, 1_002, 1_003)

TARGETS: dict[str, tuple[float, ...]] = {
    "digits-mlp": (0.9861, 0.9861, 0.9861),
    "digits-conv": (0.9833, 0.9833, 0.9861),
    "cifar-mlp": (0.4405, 0.4425, 0.4450),
    "cifar-conv": (0.5125, 0.5165, 0.5300),
}
"""By task, rising; rounded down, so that the accuracies they come from meet them."""
