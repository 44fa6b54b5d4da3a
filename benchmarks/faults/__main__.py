"""Carry the fault bench out, or write its page.

    python -m benchmarks.faults run --half calibration [--subset 5m] [--jobs 2]
    python -m benchmarks.faults report --half calibration [--write]
    python -m benchmarks.faults train --half report
    python -m benchmarks.faults calibrate
    python -m benchmarks.faults cost
    python -m benchmarks.faults ranges TASK...

What was trained is kept and read back; a run that was cut off goes on where it stopped.
Looking at the report half is written down in ``ledger.json`` and wants ``--reason``;
``train`` looks at nothing, it only keeps the trainings. ``calibrate`` learns from the
calibration half how often a code is right at a score, and writes ``recipes/confidence_curves.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from pathlib import Path

from benchmarks.faults.calibration import scored, write
from benchmarks.faults.cell import CELL_SECONDS, SEEDS, TWINS, cells, num_within, subset
from benchmarks.faults.document import document
from benchmarks.faults.fault import all_faults
from benchmarks.faults.halves import HALVES, Half, task_classes
from benchmarks.faults.ledger import looks, note_look
from benchmarks.faults.pictures import confusion_svg, reliability_svg
from benchmarks.faults.ranges import print_ranges
from benchmarks.faults.rows import Row
from benchmarks.faults.runner import DEFAULT_FOLDER, Made, make_rows, rows_file, train_cells
from benchmarks.faults.score import HEALTHY, confusion, own_score, reliability, top_causes
from benchmarks.faults.store import ROOT, rules_digest
from recipes.confidence import raw_scores

TIME = re.compile(r"(\d+)m")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "cost":
        return _cost()
    if options.command == "ranges":
        for name in options.tasks:
            print_ranges(task_classes()[name]())
        return 0
    half: Half = "calibration" if options.command == "calibrate" else options.half
    chosen = list(cells(half, seeds=options.seeds, twins=options.twins))
    num_cells = sum(1 for _ in cells(half))
    if options.only:
        chosen = [cell for cell in chosen if re.search(options.only, cell.name)]
    if options.command == "train":
        train_cells(chosen, options.folder, jobs=options.jobs, told=_tell_trained)
        return 0
    if options.command == "calibrate":
        kept = rows_file(options.folder)
        with raw_scores():
            rows = make_rows(
                chosen, options.folder, told=_tell, path=kept.with_name(f"raw-{kept.name}")
            )
        write(scored(rows))
        return 0
    seconds = float("inf")
    if options.subset:
        seconds = 60.0 * int(TIME.fullmatch(options.subset).group(1))  # type: ignore[union-attr]
        chosen = subset(chosen, num_within(seconds * options.jobs))
    if half == "report":
        if not options.reason:
            print("the report half is looked at only with --reason", file=sys.stderr)
            return 2
        note_look(reason=options.reason, rules=rules_digest(), cells=len(chosen))
    rows = make_rows(chosen, options.folder, jobs=options.jobs, seconds=seconds, told=_tell)
    _summary(rows)
    if options.command == "report" and options.write:
        _write(rows, half, num_cells)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "run", "report", "calibrate"):
        command = commands.add_parser(name)
        if name != "calibrate":
            command.add_argument("--half", choices=HALVES, required=True)
            command.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
            command.add_argument("--only", help="cells whose name this pattern is found in")
        else:
            command.set_defaults(only=None)
        command.add_argument("--seeds", type=int, default=SEEDS)
        command.add_argument("--twins", type=int, default=TWINS)
        command.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
        if name in ("run", "report"):
            command.add_argument("--subset", type=_time, help="an even part for so long, as in 5m")
            command.add_argument("--reason", help="why the report half is looked at")
        if name == "report":
            command.add_argument("--write", action="store_true", help="write the page in docs/")
    commands.add_parser("cost")
    ranges = commands.add_parser("ranges")
    ranges.add_argument("tasks", nargs="+", choices=sorted(task_classes()))
    return parser


def _time(text: str) -> str:
    if not TIME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give minutes, as in 5m")
    return text


def _tell(made: Made) -> None:
    said = [f"{each.code}{'' if each.counts else '?'}" for each in made.row.said]
    right = made.row.is_found if made.row.fault else not made.row.alarms
    print(
        f"{'ok  ' if right else 'MISS'} {made.cell.name}: {', '.join(said) or 'nothing'}"
        f" [{made.cpu_seconds:.1f} s, {made.num_trained} trained]{made.row.problem}",
        flush=True,
    )


def _tell_trained(done: int, num_trained: int) -> None:
    print(f"{done} cells, {num_trained} runs trained for the last", flush=True)


def _summary(rows: list[Row]) -> None:
    score = own_score(rows)
    print(f"{len(rows)} cells")
    print(f"severe found {score.severe}")
    print(f"mild found {score.mild}")
    print(f"precision of warnings and errors {score.precision}")
    print(f"healthy with an alarm {score.alarms}")
    print(f"cause first {top_causes(rows, 1)}; in the first two {top_causes(rows, 2)}")


def _cost() -> int:
    for half in HALVES:
        chosen = list(cells(half))
        kinds = Counter("twins" if not cell.fault else cell.severity for cell in chosen)
        print(
            f"{half}: {len(chosen)} cells ({dict(kinds)}), about "
            f"{len(chosen) * CELL_SECONDS / 60:.0f} CPU minutes from nothing"
        )
    return 0


def _write(rows: list[Row], half: Half, num_cells: int) -> None:
    docs = ROOT / "docs"
    page = document(rows, half, looks=looks(), num_cells=num_cells)
    (docs / "diagnosis-bench.md").write_text(page)
    counts = confusion(rows)
    faults = [name for name in all_faults() if any(row.fault == name for row in rows)]
    images = docs / "images"
    picture = confusion_svg(counts, [*faults, HEALTHY])
    (images / f"faults-confusion-{half}.svg").write_text(picture)
    (images / "faults-reliability.svg").write_text(reliability_svg(reliability(rows)))


if __name__ == "__main__":
    sys.exit(main())
