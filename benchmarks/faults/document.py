"""The page ``docs/diagnosis-bench.md``: the tables of a half, written from its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.faults.aims import (
    FEWEST,
    WANTED_ALARMS,
    WANTED_ERROR,
    WANTED_MILD,
    WANTED_PRECISION,
    WANTED_SEVERE,
    WANTED_TOP_TWO,
)
from benchmarks.faults.fault import all_faults
from benchmarks.faults.halves import Half, names
from benchmarks.faults.peers.tools import TOOLS
from benchmarks.faults.rows import Row
from benchmarks.faults.score import (
    Share,
    alarm_codes,
    all_codes,
    calibration_error,
    false_alarms,
    fault_recall,
    own_score,
    precision,
    recall,
    reliability,
    tool_score,
    top_causes,
    twins,
)
from benchmarks.faults.shortfalls import shortfalls

ABOUT = """# The diagnosis bench

Known faults are put into healthy training runs; who names them right, and who leaves the
healthy ones alone? `make bench-faults` writes this page (`benchmarks/faults/`; a part of it
in five minutes: `make bench-faults-5m`). All data ships inside scikit-learn.

A **base task** is a small network on real data. A **fault** is a small mutation of its task or
its setting, `mild` or `severe` where it has a degree. A **healthy twin** is a base task left
alone, its learning rate, width, batch size, optimizer, schedule and data sample drawn within
what was seen to train well. Each run goes the product's own way: describe, steps 1 to 3, the
run beside two peers at a tenth and at ten times its rate, step 6 with its probe; a gate that
fails ends it.

Of each fault it is written down beforehand, beside the mutation, which codes are the right
**answer**, and which others are **true beside it** because they follow from it. Only
warnings and errors count. *Precision* of a code: of the runs said to have it, twins included,
those of which it is true. *Recall*: of the runs with a fault it answers, those that got a
right answer. Intervals are Wilson's, 95 %.
"""


def document(
    rows: Sequence[Row], half: Half, *, looks: Sequence[Mapping[str, Any]], num_cells: int
) -> str:
    """The page for a half.

    Args:
        rows: What was carried out.
        half: Which.
        looks: At the report half so far (``benchmarks.faults.ledger``).
        num_cells: How many cells the half has in all.
    """
    parts = [ABOUT, _what(rows, half, len(looks), num_cells), _looks(looks), _aims(rows)]
    parts += [
        _shortfalls(rows),
        _codes(rows),
        _faults(rows),
        _alarms(rows),
        _tools(rows),
        _confidence(rows),
    ]
    parts.append(
        "## First answers\n\n![For each fault, which code came first]"
        f"(images/faults-confusion-{half}.svg)\n"
    )
    return "\n".join(parts)


def _what(rows: Sequence[Row], half: Half, num_looks: int, num_cells: int) -> str:
    healthy = len(twins(rows))
    part = "" if len(rows) == num_cells else f" of {num_cells}, so this is a part of the bench"
    used = {
        "calibration": "Rules were worked on with it, so its numbers flatter.",
        "report": f"Rules were never worked on with it; it was looked at {num_looks} times. "
        "A base task that a rule was changed for left it.",
    }[half]
    return (
        f"## The {half} half\n\n{', '.join(names(half))}. {used} {len(rows)} runs{part}: "
        f"{len(rows) - healthy} with a fault, {healthy} healthy.\n"
    )


def _looks(looks: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        (str(number), str(look["cells"]), look["reason"], look.get("came_of_it", "this page"))
        for number, look in enumerate(looks, start=1)
    ]
    return table(("look", "runs", "why", "what came of it"), lines)


def _aims(rows: Sequence[Row]) -> str:
    common = [code for code in all_codes(rows) if precision(rows, code).n >= FEWEST]
    good = [code for code in common if precision(rows, code).value >= WANTED_PRECISION]
    score = own_score(rows)
    error = calibration_error(reliability(rows))
    lines = [
        ("codes said of ten runs or more with precision of 90 % or more", "all",
         f"{len(good)} of {len(common)}"),
        ("recall of severe faults", f"{WANTED_SEVERE:.0%}", str(score.severe)),
        ("recall of mild faults", f"{WANTED_MILD:.0%}", str(score.mild)),
        ("right cause first", "", str(top_causes(rows, 1))),
        ("right cause among the first two", f"{WANTED_TOP_TWO:.0%}", str(top_causes(rows, 2))),
        ("healthy twins with a warning or error", f"at most {WANTED_ALARMS:.0%}",
         str(score.alarms)),
        ("expected calibration error", f"at most {WANTED_ERROR:g}", f"{error:.3f}"),
    ]  # fmt: skip
    return table(("what", "wanted", "found"), lines)


def _shortfalls(rows: Sequence[Row]) -> str:
    lines = [(each.what, str(each.found), each.where, each.why) for each in shortfalls(rows)]
    what = (
        table(("what", "found", "where: what was said, how often", "why"), lines)
        if lines
        else "No code and no fault.\n"
    )
    return (
        "## What falls short\n\nCodes below the precision that is wanted (where: of what runs "
        "they were said), faults below the recall (where: what was said first instead), healthy "
        "twins above the share of alarms.\n\n" + what
    )


def _codes(rows: Sequence[Row]) -> str:
    lines = []
    for code in all_codes(rows):
        own = precision(rows, code)
        flag = " ▼" if own.n >= FEWEST and own.value < WANTED_PRECISION else ""
        cells = (recall(rows, code, "severe"), recall(rows, code, "mild"))
        lines.append((f"`{code}`", f"{own}{flag}", *map(str, cells)))
    return "## By code\n\n" + table(("code", "precision", "recall, severe", "recall, mild"), lines)


def _faults(rows: Sequence[Row]) -> str:
    lines = []
    for name, fault in all_faults().items():
        severe, mild = (fault_recall(rows, name, each) for each in ("severe", "mild"))
        own = [row for row in rows if row.fault == name]
        if not own:
            continue
        about = (fault.mutate.__doc__ or "").split("\n\n")[0]
        lines.append(
            (
                f"{name}: {' '.join(about.split())}",
                str(fault.row),
                ", ".join(f"`{code}`" for code in sorted(fault.codes)),
                str(severe),
                str(mild),
                str(top_causes(own, 2)),
            )
        )
    head = ("fault", "row", "answers", "severe found", "mild found", "cause in first two")
    return "## By fault\n\n" + table(head, lines)


def _alarms(rows: Sequence[Row]) -> str:
    lines = [
        (task, str(false_alarms(own)), _counts(own))
        for task in dict.fromkeys(row.task for row in rows)
        if twins(own := [row for row in rows if row.task == task])
    ]
    return "## Healthy twins\n\n" + table(("task", "with an alarm", "which"), lines)


def _counts(rows: Iterable[Row]) -> str:
    return ", ".join(f"`{code}` {count}" for code, count in alarm_codes(rows).most_common())


def _tools(rows: Sequence[Row]) -> str:
    lines = [("**Sevenstep**", *map(str, own_score(rows)))]
    lines += [(name, *map(str, tool_score(rows, name))) for name in TOOLS]
    head = ("rules", "recall, severe", "recall, mild", "precision of verdicts", "healthy alarmed")
    note = (
        "\nThe others' rules are restated in our own words from their papers and public "
        "documentation, with their own thresholds (`benchmarks/faults/peers/`); the tools "
        "themselves were not run. They see every tensor of the run; a verdict is right when any "
        "of our codes for it is. They were made for other things too: many of the faults here "
        "are none of theirs. Their recall over a run that cannot be trained is 0.\n"
    )
    return "## Other tools' rules on the same runs\n\n" + table(head, lines) + note


def _confidence(rows: Sequence[Row]) -> str:
    bins = reliability(rows)
    lines = [
        (f"{each.confidence:.2f}", str(Share(round(each.accuracy * each.n), each.n)))
        for each in bins
    ]
    total = sum(each.n for each in bins)
    half = "## Confidence\n\n![Confidence and share that is true](images/faults-reliability.svg)\n"
    return (
        f"{half}\n{total} warnings and errors; expected calibration error "
        f"{calibration_error(bins):.3f}.\n\n" + table(("said with", "true"), lines)
    )


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"
