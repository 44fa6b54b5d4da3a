"""The tasks that come with the product, by the short names people give them."""

from __future__ import annotations

BUILT_IN_TASKS = ("digits", "digits-conv", "image_folder", "image_folder-mlp", "tabular")
"""The worker has their classes; whoever takes a study can refuse other bare names before it."""
