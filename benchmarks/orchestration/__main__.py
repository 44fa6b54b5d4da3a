"""What Sevenstep costs beside the training, next to Ray Tune and Optuna.

    python -m benchmarks.orchestration [--repeats N] [--write]

Needs ``make bench-peers``. Each cell is kept in build/benchmarks, so what was cut off goes on.
``--write`` writes the section of docs/benchmarks.md. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.harness.cells import FOLDER as CELLS
from benchmarks.harness.cells import ROOT, Cells, Measured, digest
from benchmarks.harness.machine import machine
from benchmarks.harness.page import table, write_section
from benchmarks.harness.spread import Spread
from benchmarks.orchestration.deciding import deciding
from benchmarks.orchestration.own import cold_start, trivial_trials
from benchmarks.time_to_target.peers.alone import ALONE, can_be_alone
from benchmarks.time_to_target.peers.running import PYTHON

REPEATS = 5
PEER_SECONDS = 180.0
PEERS = {
    "optuna-memory": "Optuna in memory, 2 threads",
    "optuna-sqlite": "Optuna on SQLite, 2 threads",
    "ray-reuse": "Ray Tune, `reuse_actors=True`",
    "ray-default": "Ray Tune as it comes",
}
OWN_SOURCES = (
    *(f"benchmarks/orchestration/{name}.py" for name in ("own", "deciding", "installed", "tasks")),
    *("service", "worker", "recipes"),
)
Cell = Callable[[int], Measured]


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.orchestration", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--write", action="store_true", help="the page's section")
    options = parser.parse_args(arguments)
    own = Cells(CELLS / "orchestration", digest(OWN_SOURCES))
    peers = Cells(CELLS / "orchestration", digest(["benchmarks/orchestration/peers"]))
    skipped = _skipped()
    measured: dict[str, list[Measured]] = {}
    cells: list[tuple[str, Cells, Cell]] = [
        ("cold-start", own, lambda _: cold_start()),
        ("trivial-trials", own, lambda _: trivial_trials()),
        ("deciding", own, deciding),
        *((name, peers, partial(_peer, name)) for name in PEERS if name not in skipped),
    ]
    for repeat in range(options.repeats):
        for name, kept, measure in cells:
            cell = kept.measured(f"{name}-{repeat}", partial(measure, repeat))
            measured.setdefault(name, []).append(cell)
            print(name, repeat, json.dumps(cell), flush=True)
    text = section(measured, list(skipped.values()))
    print(text)
    if options.write:
        write_section("orchestration", text)


def _skipped() -> dict[str, str]:
    """Peers that this machine cannot run, and why."""
    if not PYTHON.exists():
        return {
            name: f"{title}: not installed, see make bench-peers." for name, title in PEERS.items()
        }
    if can_be_alone():
        return {}
    reason = "it needs the right to make a network namespace (unshare --net)"
    return {name: f"{PEERS[name]}: {reason}." for name in PEERS if name.startswith("ray")}


def _peer(name: str, repeat: int) -> Measured:
    """One peer's trivial trials, in its own environment."""
    alone = ALONE if name.startswith("ray") else ()
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        done = subprocess.run(
            [
                *(*alone, str(PYTHON), "-P"),
                *("-m", "benchmarks.orchestration.peers.trivial", name, folder),
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=PEER_SECONDS,
        )
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def section(measured: dict[str, list[Measured]], skipped: Sequence[str]) -> str:
    """Markdown: trials, then starting, then deciding."""
    trials = [
        [
            "Sevenstep",
            _spread(measured["trivial-trials"], "trial_milliseconds", ".1f"),
            _spread(measured["cold-start"], "worker_seconds", ".2f"),
            _spread(measured["cold-start"], "all_megabytes", ".0f"),
        ]
    ]
    trials += [
        [
            title,
            _spread(measured[name], "trial_milliseconds", ".1f"),
            _spread(measured[name], "start_seconds", ".2f"),
            _spread(measured[name], "all_megabytes", ".0f"),
        ]
        for name, title in PEERS.items()
        if name in measured
    ]
    singles = [each for cell in measured["trivial-trials"] for each in cell["single_milliseconds"]]
    starts = measured["cold-start"]
    parts = [
        "`python -m benchmarks.orchestration --write`. 64 trivial trials, two at a time:"
        " wall-clock time for each beyond its training, from the beginning of the search to its"
        " end; the time until the first could begin; memory of all processes, shared pages"
        " counted once. Optuna's trials are calls of a function in its own process: a floor,"
        " without other processes, isolation or restarts. What Sevenstep stores of each trial"
        " is on disk when its verdict is.",
        table(["", "ms a trial", "start, s", "memory, MB"], trials),
        f"A search of one single trial takes {Spread.of(singles).text('.0f', ' ms')} more than"
        f" its training. `serve` on an existing database answers after"
        f" {_spread(starts, 'ready_seconds', '.2f', ' s')} with"
        f" {_spread(starts, 'ready_megabytes', '.0f', ' MB')}, and has"
        f" {_spread(starts, 'settled_megabytes', '.0f', ' MB')} once everything is loaded that"
        " a study's steps need; its worker is there after"
        f" {_spread(starts, 'worker_seconds', '.2f', ' s')}.",
        "Proposing and judging, as a share of a step's time on two slots (digits MLP; one"
        " thread, processor's time):",
        table(
            ["step", "trained, s", "deciding, s", "share"], _deciding_rows(measured["deciding"])
        ),
        *skipped,
        machine(["torch", "optuna", "sqlalchemy", "sevenstep"]),
    ]
    return "\n\n".join(parts)


def _deciding_rows(cells: Sequence[Measured]) -> list[list[str]]:
    rows = []
    for number in cells[0]["steps"]:
        each = [cell["steps"][number] for cell in cells]
        share = Spread.of([100 * step["share"] for step in each])
        rows.append(
            [
                number,
                _spread(each, "trained_seconds", ".2f"),
                _spread(each, "deciding_seconds", ".3f"),
                share.text(".1f", " %"),
            ]
        )
    return rows


def _spread(cells: Sequence[Measured], name: str, form: str, unit: str = "") -> str:
    return Spread.of([cell[name] for cell in cells]).text(form, unit)


if __name__ == "__main__":
    sys.exit(main())
