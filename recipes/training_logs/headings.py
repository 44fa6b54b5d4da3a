"""Lines of a plain log that say something of those below: headings, and sample counts."""

from __future__ import annotations

import re

from recipes.training_logs.names import SPLITS
from recipes.training_logs.plain_state import LogState

_COUNTS = re.compile(
    r"['\"]?\b(train|training|val|valid|validation|test)\b['\"]?\s*[:=]\s*(\d{2,})\b"
)
_KERAS_COUNTS = re.compile(r"Train on (\d+) samples, validate on (\d+) samples")
_WORD = re.compile(r"[A-Za-z]+")

HEADING_WORDS = frozenset(
    {
        *("set", "phase", "results", "result", "metrics", "step", "epoch", "stats"),
        *("begin", "begins", "start", "started", "starting", "running", "error", "errors"),
    }
)
"""Words that may stand beside a split in its heading."""


def note_heading(line: str, state: LogState) -> None:
    """Note the split that a line of few words names and nothing else."""
    words = [word.lower() for word in _WORD.findall(line)]
    if not 1 <= len(words) <= 3 or any(character.isdigit() for character in line):
        return
    splits = [word for word in words if word in SPLITS]
    if len(splits) == 1 and HEADING_WORDS.issuperset(set(words) - set(splits)):
        state.section = SPLITS[splits[0]]


def note_counts(line: str, state: LogState) -> None:
    """Samples of each split, where a line tells those of two."""
    keras = _KERAS_COUNTS.search(line)
    if keras is not None:
        state.counts.update(train=int(keras[1]), val=int(keras[2]))
        return
    found: dict[str, int] = {SPLITS[split]: int(count) for split, count in _COUNTS.findall(line)}
    if "train" in found and len(found) > 1 and "." not in line.split("{")[-1]:
        state.counts.update(found)
