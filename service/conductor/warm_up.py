"""Loads in a quiet moment what a study's steps load where they first need it."""

from __future__ import annotations

import importlib

from recipes.rules.registry import all_rules

NEEDED = ("scipy.stats", "scipy.ndimage", "optuna.samplers", "optuna.importance")
"""Imported inside functions: none of them is needed for the service to be up, and together they
take as long as all the rest of it."""


def warm_up() -> None:
    """Import them and the rules, so that no step of a study waits for it."""
    for name in NEEDED:
        importlib.import_module(name)
    all_rules()
