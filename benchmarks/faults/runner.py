"""Cells to rows, several at a time; a row that was made with the same rules is read back."""

from __future__ import annotations

import json
import math
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.cell import Cell
from benchmarks.faults.fault import all_faults
from benchmarks.faults.halves import task_classes
from benchmarks.faults.peers.evidence import peer_evidence
from benchmarks.faults.peers.tools import TOOLS
from benchmarks.faults.rows import Row, Said, as_json, from_json
from benchmarks.faults.store import ROOT, Store, digest_of, rules_digest
from benchmarks.faults.study import diagnose


@dataclass(frozen=True)
class Made:
    """A cell's row, and what it cost.

    Attributes:
        num_trained: Runs that were trained for it; 0 when all were read back.
        cpu_seconds: Of the process.
    """

    cell: Cell
    row: Row
    num_trained: int
    cpu_seconds: float


def make_row(cell: Cell, folder: Path) -> Made:
    """Carry out one cell and put what was said beside what should have been."""
    begun = time.process_time()
    store = Store(folder / "trainings")
    diagnosis = diagnose(cell, store)
    tools = {}
    value = math.nan
    run = diagnosis.run
    if run is not None:
        evidence = peer_evidence(diagnosis.description, run, diagnosis.tensors)
        tools = {name: [each.codes for each in judge(evidence)] for name, judge in TOOLS.items()}
        last = run.outcome.evaluation("val")
        if last is not None:
            value = last.metrics[diagnosis.description.metric].mean
    fault = all_faults().get(cell.fault)
    row = Row(
        task=cell.task,
        fault=cell.fault,
        severity=cell.severity,
        seed=cell.seed,
        codes=fault.codes if fault else frozenset(),
        also=(fault.also if fault else frozenset()) | task_classes()[cell.task].known,
        right_causes=fault.causes if fault else frozenset(),
        is_info=fault.is_info if fault else False,
        said=tuple(
            Said(
                finding.code,
                str(finding.severity),
                finding.confidence,
                tuple(cause.code for cause in finding.causes),
            )
            for _, finding in diagnosis.findings
        ),
        tools=tools,
        value=value,
        stopped_at=diagnosis.stopped_at,
        problem=diagnosis.problem,
    )
    return Made(cell, row, store.num_trained, time.process_time() - begun)


class CellsFailed(Exception):
    """Some cells raised; the rows of the others are kept.

    Args:
        tracebacks: By cell.
    """

    def __init__(self, tracebacks: Mapping[Cell, str]) -> None:
        first, text = next(iter(tracebacks.items()))
        names = ", ".join(cell.name for cell in tracebacks)
        super().__init__(f"{len(tracebacks)} cells raised ({names}); {first.name}:\n{text}")
        self.tracebacks = tracebacks


def _make(task: tuple[Cell, Path]) -> Made | tuple[Cell, str]:
    """A cell's row, or its traceback: one that raises must not end a run of hours."""
    try:
        return make_row(*task)
    except Exception:
        return task[0], traceback.format_exc()


def make_rows(
    cells: Sequence[Cell],
    folder: Path,
    *,
    jobs: int = 1,
    seconds: float = math.inf,
    told: Callable[[Made], None] = lambda made: None,
    path: Path | None = None,
) -> list[Row]:
    """Rows for the cells, in their order, as many as the time allows.

    Args:
        cells: What to carry out.
        folder: Where trainings and rows are kept.
        jobs: Processes, one thread each.
        seconds: After which no cell is begun.
        told: Called with every row that was made anew.
        path: The rows' file, where it is not that of the present rules and faults.

    Raises:
        CellsFailed: In the end, when cells raised. They are tried again the next time.
    """
    path = path or rows_file(folder)
    done = _read(path)
    missing = [cell for cell in cells if cell not in done]
    until = time.monotonic() + seconds
    failed: dict[Cell, str] = {}
    with path.open("a") as file:
        for made in _made(missing, folder, jobs, until):
            if not isinstance(made, Made):
                failed[made[0]] = made[1]
                continue
            done[made.cell] = made.row
            file.write(json.dumps(as_json(made.row)) + "\n")
            file.flush()
            told(made)
    if failed:
        raise CellsFailed(failed)
    return [done[cell] for cell in cells if cell in done]


def train_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    jobs: int = 1,
    told: Callable[[int, int], None] = lambda done, num_trained: None,
) -> None:
    """Keep the cells' trainings and look at none of their findings.

    Args:
        cells: Those whose trainings are wanted.
        folder: Where they are kept.
        jobs: Processes, one thread each.
        told: Called after every cell: cells done so far, runs that were trained for this one.
    """
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        trained = pool.imap_unordered(_train, [(cell, folder) for cell in cells])
        for done, num_trained in enumerate(trained, 1):
            told(done, num_trained)


def _train(task: tuple[Cell, Path]) -> int:
    """Carry a cell out for what it keeps; how many runs were trained."""
    cell, folder = task
    store = Store(folder / "trainings")
    diagnose(cell, store)
    return store.num_trained


def rows_file(folder: Path) -> Path:
    """Where the rows of the present rules and faults are kept."""
    faults = digest_of([Path(__file__).parent / name for name in ("families", "tasks")])
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"rows-{rules_digest()[:12]}-{faults[:12]}.jsonl"


def _made(
    cells: Sequence[Cell], folder: Path, jobs: int, until: float
) -> Iterator[Made | tuple[Cell, str]]:
    """One after the other, or in processes of their own."""
    waiting = ((cell, folder) for cell in cells if time.monotonic() < until)
    if jobs == 1:
        yield from map(_make, waiting)
        return
    # Spawned: torch's threads do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for batch in _batches(list(cells), 4 * jobs):
            if time.monotonic() >= until:
                return
            yield from pool.imap_unordered(_make, [(cell, folder) for cell in batch])


def _batches(cells: Sequence[Cell], size: int) -> Iterator[Sequence[Cell]]:
    for at in range(0, len(cells), size):
        yield cells[at : at + size]


def _read(path: Path) -> dict[Cell, Row]:
    """Rows kept so far; a line that was cut off by a crash is left out."""
    rows: dict[Cell, Row] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            row = from_json(json.loads(line))
            rows[Cell(row.task, row.fault, row.severity, row.seed)] = row
    return rows


DEFAULT_FOLDER = ROOT / ".sevenstep" / "fault-bench"
"""Ignored by git, like all that runs leave behind."""
