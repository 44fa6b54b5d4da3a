"""How often the report half was looked at: a committed file, written before each look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("ledger.json")


def looks(file: Path = FILE) -> list[dict[str, Any]]:
    """Every look so far, the oldest first. Where a look led to a change, ``came_of_it`` was
    written into the file by hand and says which."""
    found: list[dict[str, Any]] = json.loads(file.read_text())["looks"]
    return found


def note_look(*, reason: str, rules: str, cells: int, file: Path = FILE) -> int:
    """Write down a look at the report half; its number.

    The same rules looked at again are the same look: what they say is known already.

    Args:
        reason: Why, in a few words.
        rules: Digest of the rules that are judged.
        cells: How many cells are looked at.

    Raises:
        ValueError: No reason was given.
    """
    if not reason.strip():
        raise ValueError("reason: '' does not fit; say why the report half is looked at")
    before = looks(file)
    for number, look in enumerate(before, start=1):
        if look["rules"] == rules:
            return number
    before.append({"reason": reason, "rules": rules, "cells": cells})
    file.write_text(json.dumps({"looks": before}, indent=2) + "\n")
    return len(before)
