"""Names and numbers of a line of a plain log."""

from __future__ import annotations

import re

from recipes.training_logs.cells import NON_FINITE, NUMBER
from recipes.training_logs.names import SPLITS, role_of, words_of
from recipes.training_logs.plain_state import LogState
from recipes.training_logs.progress import WITHIN

_PAIR = re.compile(
    r"(?P<key>[A-Za-z_][\w@./²-]*(?:[ \t]+[A-Za-z_][\w@./-]*){0,3})[\"']?"
    rf"(?P<sep>\s*[:=]\s*|\s+)[\[(]?(?P<value>{NUMBER}|[-+]?(?:nan|inf(?:inity)?))"
    r"(?![\w.]*[A-Za-z_])(?:\s*/\s*(?P<of>\d+))?[\])]?(?P<percent>\s*%)?",
    re.IGNORECASE,
)

_EVALUATION = "Saving dict for global"
"""How TensorFlow's Estimator begins the line of an evaluation, which names no split."""

FILLERS = frozenset(
    (
        *("results", "result", "info", "debug", "finished", "completed", "complete", "done"),
        *("end", "performance", "stats", "report", "log", "after", "this", "current", "and"),
        *("with", "of", "phase", "loop", "epoch", "step", "iter", "iteration", "root", "main"),
        *("trainer",),
    )
)
"""Words before a metric's name that say nothing about it."""


def pairs_of(line: str, state: LogState) -> dict[str, float]:
    """The metrics and learning rates of a line by name, their split before it.

    Counts (``9804/10000``) become shares, and tell the samples of their split. What a line
    says twice counts as it stands first.
    """
    found: dict[str, float] = {}
    split, at = state.section, 0
    if line.lstrip().startswith("*"):
        split = state.last_split
    if _EVALUATION in line:
        split = "val"
    pairs = list(_PAIR.finditer(line))
    within = WITHIN.search(line)
    # Before the numbers it is a place in the epoch; behind one, (1234/1250), how many are right.
    in_batches = within is not None and bool(pairs) and within.start() < pairs[0].end()
    for match in pairs:
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
