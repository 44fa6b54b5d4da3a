"""How often the twelve were looked at, and what came out: a committed file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).with_name("ledger.json")


@dataclass(frozen=True)
class Look:
    """One look at the twelve.

    Attributes:
        reason: Why, in a few words.
        rules: Digest of the rules that judged; empty where nobody kept it.
        num_better: How many became better by more than noise.
    """

    reason: str
    rules: str
    num_better: int


def looks(file: Path = FILE) -> list[Look]:
    """Every look so far, the oldest first."""
    return [Look(**each) for each in json.loads(file.read_text())["looks"]]


def note_look(look: Look, file: Path = FILE) -> Sequence[Look]:
    """Write a look down; all of them.

    The same rules looked at again are the same look: what they say is known already.

    Raises:
        ValueError: No reason was given.
    """
    if not look.reason.strip():
        raise ValueError("reason: '' does not fit; say why the twelve are looked at")
    before = looks(file)
    if any(each.rules == look.rules for each in before):
        return before
    now = [*before, look]
    file.write_text(json.dumps({"looks": [asdict(each) for each in now]}, indent=2) + "\n")
    return now
