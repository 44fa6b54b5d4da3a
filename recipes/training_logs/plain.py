"""Plain training logs: lines in which a metric's name stands before its number."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from recipes.training_logs.cells import NON_FINITE, NUMBER
from recipes.training_logs.names import SPLITS, role_of, words_of
from recipes.training_logs.table import Table, table_of_rows

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08+")
_EPOCH = re.compile(
    r"\bepochs?\b\s*(?:no\.?|number)?[\s:#=\[(]*(\d+(?:\.\d+)?)\s*(?:(?:/|of)\s*(\d+))?\s*[\])]?",
    re.IGNORECASE,
)
_ITERATION = re.compile(
    r"\b(?:iter(?:ation)?s?|steps?|batch|global_step)\b[\s:#=\[(]*(\d+)\s*(?:(?:/|of)\s*(\d+))?"
    r"\s*[\])]?",
    re.IGNORECASE,
)
_WITHIN = re.compile(r"[\[(]\s*(\d+)\s*/\s*(\d+)(?:\s*\([^)]*\))?\s*[\])]")
_BAR = re.compile(r"(\d+)/(\d+)\s*(?:\[[=>.#\s-]*\]|[━\x20-]*━|\[\d+:\d+)|(\d+)%\|")
_PAIR = re.compile(
    r"(?P<key>[A-Za-z_][\w@./²-]*(?:[ \t]+[A-Za-z_][\w@./-]*){0,3})[\"']?"
    rf"(?P<sep>\s*[:=]\s*|\s+)[\[(]?(?P<value>{NUMBER}|[-+]?(?:nan|inf(?:inity)?))"
    r"(?![\w.]*[A-Za-z_])(?:\s*/\s*(?P<of>\d+))?[\])]?(?P<percent>\s*%)?",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"['\"]?\b(train|training|val|valid|validation|test)\b['\"]?\s*[:=]\s*(\d{2,})\b"
)
_KERAS_COUNTS = re.compile(r"Train on (\d+) samples, validate on (\d+) samples")
_NAME = re.compile(r"^\s*([A-Za-z][\w.+-]*)\s*[-:|,]\s*$")
_WORD = re.compile(r"[A-Za-z]+")

MAX_LINE = 5_000
"""Characters of a line that is looked at; longer ones are no line of metrics."""

HEADING_WORDS = frozenset(
    {"set", "phase", "results", "result", "metrics", "step", "epoch", "stats"}
)
FILLERS = frozenset(
    (
        *(
            "results",
            "result",
            "info",
            "debug",
            "finished",
            "completed",
            "complete",
            "done",
            "end",
        ),
        *(
            "performance",
            "stats",
            "report",
            "log",
            "after",
            "this",
            "current",
            "and",
            "with",
            "of",
        ),
        *("phase", "loop", "epoch", "step", "iter", "iteration", "root", "main", "trainer"),
    )
)
NO_NAMES = frozenset(("info", "debug", "warning", "start", "starting", "begin", "end", "time"))
SUMMARY = re.compile(r"\b(best|final|finally|overall best)\b", re.IGNORECASE)


@dataclass
class _State:
    """Where in the log the reader is."""

    epoch: float | None = None
    run: str = ""
    section: str = ""
    last_split: str = ""
    num_epochs: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    percents: set[str] = field(default_factory=set)
    told: Collection[str] = ()


def read_plain(text: str, told: Collection[str] = ()) -> list[Table]:
    """The rows of a log: one for each line that tells a metric; empty when none does.

    A line belongs to the epoch named last, at or before it. A split's name holds for what
    follows it in its line, or, alone in a line, until the next epoch. Numbers of progress
    bars that are not at their end are left out: they are running means.
    """
    state = _State(told=told)
    rows: list[dict[str, float | str]] = []
    was_bar = False
    for raw in re.split(r"\r\n|\n|\r|\x08{2,}", text):
        line = _ESCAPES.sub("", raw)
        if len(line) > MAX_LINE:
            continue
        row = _row(line, state)
        if not row:
            continue
        # A bar at its end is printed again when validation is through.
        is_bar = _BAR.search(line) is not None
        if (
            is_bar
            and was_bar
            and rows[-1].get("epoch") == state.epoch
            and rows[-1].keys() <= row.keys()
        ):
            rows.pop()
        rows.append(row)
        was_bar = is_bar
    if not any(key in told or role_of(key).what == "metric" for row in rows for key in row):
        return []
    if not any(row.get("run") for row in rows):
        rows = [{key: value for key, value in row.items() if key != "run"} for row in rows]
    table = table_of_rows(rows)
    table.num_epochs = state.num_epochs
    table.sample_counts = state.counts
    table.percents = state.percents
    return [table]


def _row(line: str, state: _State) -> dict[str, float | str]:
    _heading(line, state)
    if not any(character.isdigit() for character in line) and "nan" not in line.lower():
        return {}
    _count(line, state)
    line, iteration, is_partial = _place(line, state)
    if is_partial or SUMMARY.search(line):
        return {}
    pairs = _pairs(line, state)
    if not pairs:
        return {}
    row: dict[str, float | str] = {}
    if state.epoch is not None:
        row["epoch"] = state.epoch
    if state.run:
        row["run"] = state.run
    roles = {name: role_of(name) for name in pairs}
    if iteration is not None:
        row["iteration"] = iteration
    # With an epoch and a place within it, and nothing of validation, a line is of one batch.
    is_batch = (
        iteration is not None
        and state.epoch is not None
        and not any(role.split in ("val", "test") for role in roles.values())
    )
    for name, value in pairs.items():
        is_metric = roles[name].what == "metric"
        row[f"{name} batch" if is_batch and is_metric else name] = value
    return row


def _heading(line: str, state: _State) -> None:
    words = [word.lower() for word in _WORD.findall(line)]
    if not 1 <= len(words) <= 3 or any(character.isdigit() for character in line):
        return
    splits = [word for word in words if word in SPLITS]
    if len(splits) == 1 and HEADING_WORDS.issuperset(set(words) - set(splits)):
        state.section = SPLITS[splits[0]]


def _count(line: str, state: _State) -> None:
    """Samples of each split, where a line tells those of two."""
    keras = _KERAS_COUNTS.search(line)
    if keras is not None:
        state.counts.update(train=int(keras[1]), val=int(keras[2]))
        return
    found: dict[str, int] = {SPLITS[split]: int(count) for split, count in _COUNTS.findall(line)}
    if "train" in found and len(found) > 1 and "." not in line.split("{")[-1]:
        state.counts.update(found)


def _place(line: str, state: _State) -> tuple[str, float | None, bool]:
    """Note the epoch; return the line without its places, the iteration, and whether it is a
    progress bar on its way."""
    iteration: float | None = None
    bar = _BAR.search(line)
    if bar is not None:
        is_partial = bar[3] != "100" if bar[3] else bar[1] != bar[2]
        if is_partial:
            return line, None, True
        line = f"{line[: bar.start()]} ; {line[bar.end() :]}"
    found = _EPOCH.search(line)
    if found is not None and not _is_duration(line, found.end()):
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
        within = _WITHIN.match(after.lstrip())
        if within is not None:
            iteration = float(within[1])
            after = after.lstrip()[within.end() :]
        line = f"{before} ; {after}"
    step = _ITERATION.search(line)
    if step is not None and iteration is None:
        iteration = float(step[1])
        line = f"{line[: step.start()]} ; {line[step.end() :]}"
    return line, iteration, False


def _is_duration(line: str, end: int) -> bool:
    return re.match(r"\s*(?:ms|s|sec|min|h)\b", line[end:]) is not None


def _pairs(line: str, state: _State) -> dict[str, float]:
    found: dict[str, float] = {}
    split, at = state.section, 0
    if line.lstrip().startswith("*"):
        split = state.last_split
    in_batches = _WITHIN.search(line) is not None
    for match in _PAIR.finditer(line):
        split = _last_split(line[at : match.end("key")]) or split
        at = match.end()
        if split:
            state.last_split = split
        is_told = match["key"] in state.told
        name = match["key"] if is_told else _name(match["key"], split)
        role = role_of(name)
        if (role.what not in ("metric", "lr") and not is_told) or (
            in_batches and role.split in ("val", "test")
        ):
            continue
        value = _value(match)
        if role.metric in ("accuracy", "error") and match["of"] and 0 < int(match["of"]) >= value:
            if role.split:
                state.counts[role.split] = int(match["of"])
            value /= int(match["of"])
            name = f"{name} rate" if role.metric == "error" else name
        elif match["percent"]:
            state.percents.add(name)
        found.setdefault(name, value)
    return found


def _value(match: re.Match[str]) -> float:
    text = match["value"].lower()
    return NON_FINITE[text] if text in NON_FINITE else float(text)


def _last_split(text: str) -> str:
    found = [SPLITS[word] for word in words_of(text) if word in SPLITS]
    return found[-1] if found else ""


def _name(key: str, split: str) -> str:
    """The metric's name with its split before it, and without words that only fill."""
    words = key.split()
    while len(words) > 1 and words[0].strip(":-").lower() in FILLERS:
        words = words[1:]
    if words[0].lower() in SPLITS and len(words) > 1:
        words = words[1:]
    name = " ".join(words)
    return f"{split} {name}" if split and not role_of(name).split else name
