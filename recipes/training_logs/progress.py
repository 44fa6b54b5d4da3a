"""Where a line of a plain log stands: its epoch, its iteration, its progress bar."""

from __future__ import annotations

import re

from recipes.training_logs.names import SPLITS, words_of
from recipes.training_logs.plain_state import LogState

_EPOCH = re.compile(
    r"\bepochs?\b\s*(?:no\.?|number)?[\s:#=\[(]*(\d+(?:\.\d+)?)\s*(?:(?:/|of)\s*(\d+))?\s*[\])]?",
    re.IGNORECASE,
)
_NUM_EPOCHS = re.compile(
    r"\bepochs\b[\"']?\s*[=:]\s*(\d{1,9})(?!\d|\.\d|\s*(?:%|/|of\b))", re.IGNORECASE
)
_ITERATION = re.compile(
    r"\b(?:iter(?:ation)?s?|steps?|batch|global_step)\b[\s:#=\[(]*(\d+)\s*(?:(?:/|of)\s*(\d+))?"
    r"\s*[\])]?",
    re.IGNORECASE,
)
WITHIN = re.compile(r"[\[(]\s*(\d+)\s*/\s*(\d+)(?:\s*\([^)]*\))?\s*[\])]")
BAR = re.compile(r"(\d+)/(\d+)\s*(?:\[[=>.#\s-]*\]|[━\x20-]*━|\[\d+:\d+)|(\d+)%\|")
_PASS = re.compile(r"\s*[A-Za-z]*train[A-Za-z]*:?\s+(\d+)\s+\[\s*(\d+)\s*/", re.IGNORECASE)
_NAME = re.compile(r"^\s*([A-Za-z][\w.+-]*)\s*[-:|,]\s*$")

NO_NAMES = frozenset(("info", "debug", "warning", "start", "starting", "begin", "end", "time"))
"""Words before an epoch that are no run's name."""


def announced_epochs(line: str, state: LogState) -> int | None:
    """How many epochs a line may announce, ``epochs=90``; None where it counts them, if anything.

    A log that calls its first one "epochs: 1" counts by that word from there on.
    """
    found = _NUM_EPOCHS.search(line)
    if found is None or state.says_epochs or _is_duration(line, found.end()):
        return None
    place = _EPOCH.search(line)
    if place is not None and not _is_plural(place):
        return None  # it stands in an epoch's own line
    number = int(found[1])
    return None if state.epoch is None and number <= 1 else number


def take_place(line: str, state: LogState) -> tuple[str, float | None, bool]:
    """Note the epoch; return the line without its places, the iteration, and whether it is a
    progress bar on its way."""
    iteration: float | None = None
    bar = BAR.search(line)
    if bar is not None:
        is_partial = bar[3] != "100" if bar[3] else bar[1] != bar[2]
        if is_partial:
            return line, None, True
        line = f"{line[: bar.start()]} ; {line[bar.end() :]}"
    found = _EPOCH.search(line)
    if found is not None and not _is_duration(line, found.end()):
        state.says_epochs |= _is_plural(found)
        epoch = float(found[1])
        if epoch != state.epoch:
            state.section = ""
        state.epoch = epoch
        if found[2]:
            state.num_epochs = int(found[2])
        before, after = line[: found.start()], line[found.end() :]
        name = _NAME.match(before)
        if name is not None and name[1].lower() not in SPLITS and name[1].lower() not in NO_NAMES:
            state.run = name[1]
        within = WITHIN.match(after.lstrip())
        if within is not None:
            iteration = float(within[1])
            after = after.lstrip()[within.end() :]
        line = f"{before} ; {after}"
    elif (passed := _PASS.match(line)) is not None:
        state.epoch = float(passed[1])
        iteration = float(passed[2])
        line = f"{line[: passed.start(1)]} ; {line[passed.end() :]}"
    elif (within := WITHIN.match(line)) is not None and _has_both_splits(line):
        state.epoch = float(within[1])  # nobody validates after every batch
        state.num_epochs = int(within[2])
        line = line[within.end() :]
    step = _ITERATION.search(line)
    if step is not None and iteration is None:
        iteration = float(step[1])
        line = f"{line[: step.start()]} ; {line[step.end() :]}"
    return line, iteration, False


def _has_both_splits(line: str) -> bool:
    return {"train", "val"} <= {SPLITS[word] for word in words_of(line) if word in SPLITS}


def _is_duration(line: str, end: int) -> bool:
    return re.match(r"\s*(?:ms|s|sec|min|h)\b", line[end:]) is not None


def _is_plural(place: re.Match[str]) -> bool:
    return place[0].lower().startswith("epochs")
