"""Search the same tasks with Sevenstep and with its peers, for the same time.

    python -m benchmarks.time_to_target [--task NAME] [--tool NAME] [--seeds N] [--seconds S]
        [--kept] [--write]
    python -m benchmarks.time_to_target --pilot

Needs ``make bench-peers``, and SEVENSTEP_CIFAR10_DIR for the CIFAR-10 tasks. Each cell is kept
in build/benchmarks, so what was cut off goes on. ``--write`` writes the section of
docs/benchmarks.md and its picture, ``--kept`` of the cells that are there. Nothing else should
run on the machine.
"""

from __future__ import annotations

import argparse
import math
import statistics
from functools import partial

from benchmarks.harness.cells import FOLDER as CELLS
from benchmarks.harness.cells import ROOT, Cells, digest
from benchmarks.harness.page import write_section
from benchmarks.time_to_target.cell import OWN, measure
from benchmarks.time_to_target.peers.running import PEERS, why_not
from benchmarks.time_to_target.picture import picture
from benchmarks.time_to_target.reports import seconds_to
from benchmarks.time_to_target.section import TITLES, section
from benchmarks.time_to_target.targets import PILOT_SEEDS, PILOT_SHARES, TARGETS
from benchmarks.time_to_target.tasks import SEARCHED, task_at_hand

PICTURE = ROOT / "docs" / "images" / "time-to-target.svg"
SOURCES = (
    *(f"benchmarks/time_to_target/{name}.py" for name in ("cell", "plain", "reports", "tasks")),
    *("examples/cifar10_two_layer.py", "worker/tasks", "worker/data"),
)
"""What all numbers follow from."""
OWN_SOURCES = (*SOURCES, "benchmarks/time_to_target/own.py", "service", "worker", "recipes")
PEER_SOURCES = (*SOURCES, "benchmarks/time_to_target/peers")
"""A change of Sevenstep leaves the peers' cells as they are."""
FOLDER = CELLS / "time_to_target"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    tasks = [options.task] if options.task else list(SEARCHED)
    skipped = [f"{task} needs SEVENSTEP_CIFAR10_DIR." for task in tasks if not task_at_hand(task)]
    tasks = [task for task in tasks if task_at_hand(task)]
    for task in tasks:  # images are decoded once a machine, on nobody's time
        SEARCHED[task].task().data("train")
    if options.pilot:
        _pilot(tasks, options.seconds)
        return
    tools = [options.tool] if options.tool else list(TITLES)
    for tool in set(tools) & set(PEERS):
        if reason := why_not(tool):
            skipped.append(f"{PEERS[tool].title}: {reason}.")
            tools.remove(tool)
    own = Cells(FOLDER, digest(OWN_SOURCES))
    peers = Cells(FOLDER, digest(PEER_SOURCES))
    found: dict[str, dict[str, list[dict[str, object]]]] = {}
    for task in tasks:
        seconds = options.seconds or SEARCHED[task].seconds
        runs = found.setdefault(task, {tool: [] for tool in tools})
        for seed in range(options.seeds or SEARCHED[task].seeds):
            for tool in tools:  # in turn: what else the machine does meets all alike
                cells, name = own if tool == OWN else peers, f"{task}-{tool}-{seed}-{seconds:g}s"
                made = partial(measure, tool, task, seed=seed, seconds=seconds, retrains=True)
                cell = cells.read(name) if options.kept else cells.measured(name, made)
                if cell is not None:
                    runs[tool].append(cell)
                    print(_line(task, tool, seed, cell), flush=True)
    for line in skipped:
        print(line)
    if options.write:
        PICTURE.write_text(picture(found))
        write_section("time_to_target", section(found, skipped))


def _line(task: str, tool: str, seed: int, cell: dict[str, object]) -> str:
    rises: list[list[float]] = cell["rises"]  # type: ignore[assignment]
    tests: list[float] = cell["test"]  # type: ignore[assignment]
    times = [seconds_to(target, rises) for target in TARGETS.get(task, ())]
    words = " ".join("never" if each is None else f"{each:.1f}" for each in times)
    best = rises[-1][1] if rises else 0.0
    test = f"{statistics.mean(tests):.4f}" if tests else "-"
    return f"{task} {tool} {seed}: {words} s; best {best:.4f}, test {test}"


def _pilot(tasks: list[str], seconds: float | None) -> None:
    """Print targets, of plain random search with seeds of its own."""
    if reason := why_not("random"):
        raise SystemExit(reason)
    cells = Cells(FOLDER, digest(PEER_SOURCES))
    for task in tasks:
        length = seconds or SEARCHED[task].seconds
        runs = [
            cells.measured(
                f"{task}-pilot-{seed}-{length:g}s",
                partial(measure, "random", task, seed=seed, seconds=length, retrains=False),
            )
            for seed in PILOT_SEEDS
        ]
        bests = [
            statistics.median(
                max(best for at, best in run["rises"] if at <= share * length) for run in runs
            )
            for share in PILOT_SHARES
        ]
        targets = (math.floor(10_000 * best + 1e-6) / 10_000 for best in bests)  # met by these
        print(f'    "{task}": ({", ".join(f"{each:.4f}" for each in targets)}),', flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_target", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--task", choices=SEARCHED)
    parser.add_argument("--tool", choices=TITLES)
    parser.add_argument("--seeds", type=int, help="as many as the task's, by default")
    parser.add_argument("--seconds", type=float, help="the task's own by default")
    parser.add_argument("--pilot", action="store_true", help="choose targets")
    parser.add_argument("--kept", action="store_true", help="measure nothing")
    parser.add_argument("--write", action="store_true", help="the page's section and picture")
    return parser


if __name__ == "__main__":
    main()
