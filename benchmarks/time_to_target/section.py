"""The section of docs/benchmarks.md: tables and a picture of the cells that are there."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.machine import machine
from benchmarks.harness.page import table
from benchmarks.harness.spread import Spread
from benchmarks.time_to_target.cell import OWN
from benchmarks.time_to_target.peers.running import PEERS
from benchmarks.time_to_target.reports import seconds_to
from benchmarks.time_to_target.targets import TARGETS
from benchmarks.time_to_target.tasks import SEARCHED

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
"""A task's cells by tool, one a seed."""
FIVE_MINUTES = 300.0
TITLES = {OWN: "Sevenstep", **{name: peer.title for name, peer in PEERS.items()}}


def section(tasks: Mapping[str, Runs], skipped: Sequence[str]) -> str:
    """Markdown.

    Args:
        tasks: All that was measured.
        skipped: What this machine could not run, and why.
    """
    parts = [
        "`python -m benchmarks.time_to_target --write`. The same model, data, ranges, two cores"
        " and wall-clock time. Time runs from the command, on an installation that is up, with"
        " describing the task and steps 1 to 3 in it; a peer's runs from its own command."
        " Peers train with plain PyTorch and its native optimiser, one thread a trial, two"
        " trials at a time, at most 20 epochs each. A target is met when a validation accuracy"
        " as high is first known. Targets were fixed beforehand, from random search with other"
        " seeds.",
        _targets_table(tasks),
        "![Best validation accuracy so far](images/time-to-target.svg)",
        "The setting that each tool chose, trained again with three new seeds by one plain loop,"
        " on the test split:",
        _test_table(tasks),
        "What comes before Sevenstep's search, in seconds: describing the task from the command"
        " on, then steps 1 to 3, also as a share of a study of five minutes; the first"
        " validation accuracy, beside that of the peer that had one first.",
        _checks_table(tasks),
        *skipped,
        machine(["torch", "optuna", "sevenstep"]),
    ]
    return "\n\n".join(parts)


def _targets_table(tasks: Mapping[str, Runs]) -> str:
    rows = []
    for task, runs in tasks.items():
        for target in sorted(set(TARGETS[task])):
            times = {tool: _times(cells, target) for tool, cells in runs.items()}
            rows.append(
                [
                    f"{task} ({SEARCHED[task].seconds:.0f} s, {_num_seeds(runs)} seeds)",
                    f"{100 * target:.1f} %",
                    *(_time_words(times.get(tool)) for tool in TITLES),
                    _ratio_words(times),
                ]
            )
    return table(["task", "target", *(f"{each}, s" for each in TITLES.values()), "sooner"], rows)


def _num_seeds(runs: Runs) -> int:
    """Of the tool that has fewest."""
    return min(map(len, runs.values()), default=0)


def _times(cells: Sequence[Mapping[str, Any]], target: float) -> list[float]:
    """By seed; infinite where the target was not met."""
    found = (seconds_to(target, cell["rises"]) for cell in cells)
    return [math.inf if seconds is None else seconds for seconds in found]


def _time_words(times: Sequence[float] | None) -> str:
    if not times:
        return "-"
    met = [each for each in times if math.isfinite(each)]
    missed = "" if len(met) == len(times) else f", {len(met)} of {len(times)} runs"
    if 2 * len(met) <= len(times):
        return f"not met{missed}"
    low, middle, high = _quartiles(times)
    return f"{_second(middle)} ({_second(low)} to {_second(high)}){missed}"


def _quartiles(times: Sequence[float]) -> tuple[float, float, float]:
    """Ranks, not means: infinite times have a place in an order."""
    ranked = sorted(times)
    last = len(ranked) - 1
    low, middle, high = (ranked[math.ceil(share * last)] for share in (0.25, 0.5, 0.75))
    return low, middle, high


def _second(seconds: float) -> str:
    return f"{seconds:.1f}" if math.isfinite(seconds) else "never"


def _ratio_words(times: Mapping[str, Sequence[float]]) -> str:
    """How much sooner than the peer with the best median."""
    peers = [statistics.median(each) for tool, each in times.items() if tool != OWN and each]
    own = times.get(OWN)
    if not own or not peers:
        return "-"
    best, mine = min(peers), statistics.median(own)
    if not math.isfinite(best):
        return "no peer met it" if math.isfinite(mine) else "-"
    if not math.isfinite(mine):
        return "a peer alone"
    return f"{best / mine:.1f}x"


def _test_table(tasks: Mapping[str, Runs]) -> str:
    rows = [
        [
            task,
            *(_test_words(runs.get(tool, [])) for tool in TITLES),
        ]
        for task, runs in tasks.items()
    ]
    return table(["task", *(f"{each}, %" for each in TITLES.values())], rows)


def _checks_table(tasks: Mapping[str, Runs]) -> str:
    rows = []
    for task, runs in tasks.items():
        own = runs.get(OWN, [])
        if not own:
            continue
        checked = [_began(cell, 4) - _began(cell, 1) for cell in own]
        peers = [_firsts(cells) for tool, cells in runs.items() if tool != OWN]
        soonest = min(filter(None, peers), key=statistics.median, default=[])
        rows.append(
            [
                task,
                Spread.of([_began(cell, 1) for cell in own]).text(".1f"),
                Spread.of(checked).text(".1f"),
                f"{100 * statistics.median(checked) / FIVE_MINUTES:.1f} %",
                *(
                    Spread.of(each).text(".1f") if each else "-"
                    for each in (_firsts(own), soonest)
                ),
            ]
        )
    heads = ["described", "steps 1 to 3", "of 5 min", "first accuracy", "a peer's first"]
    return table(["task", *heads], rows)


def _firsts(cells: Sequence[Mapping[str, Any]]) -> list[float]:
    """When each first knew a validation accuracy; runs that never did left out."""
    return [cell["rises"][0][0] for cell in cells if cell["rises"]]


def _began(cell: Mapping[str, Any], number: int) -> float:
    """When a study's first run of a step began, in seconds after the command."""
    return float(next(each["began"] for each in cell["steps"] if each["step"] == number))


def _test_words(cells: Sequence[Mapping[str, Any]]) -> str:
    means = [100 * statistics.mean(cell["test"]) for cell in cells if cell["test"]]
    return Spread.of(means).text(".1f") if means else "-"
