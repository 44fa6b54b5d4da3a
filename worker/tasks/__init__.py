"""Tasks that come with the product, found by a short name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "digits": "worker.tasks.digits:DigitsMLP",
        "digits-conv": "worker.tasks.digits:DigitsConv",
        "image_folder": "worker.tasks.image_folder:ImageFolder",
        "image_folder-mlp": "worker.tasks.image_folder:ImageFolderMLP",
        "tabular": "worker.tasks.tabular:Tabular",
    }
)
"""Short names and the classes they stand for.

A bare name is the data with the network that suits it; ``-conv`` and ``-mlp`` name the
other one.
"""
