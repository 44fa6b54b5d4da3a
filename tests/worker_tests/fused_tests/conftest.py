"""Here trials train together, as for a user."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the switch of ``tests/conftest.py`` back."""
    monkeypatch.delenv("SEVENSTEP_FUSE")
