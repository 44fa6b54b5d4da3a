"""Tasks that come with the product, found by a short name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "digits": "worker.tasks.digits:DigitsMLP",
        "digits-conv": "worker.tasks.digits:DigitsConv",
    }
)
"""Short names and the classes they stand for."""
