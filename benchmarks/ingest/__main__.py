"""Points a second through the service's endpoint, and MLflow's.

    python -m benchmarks.ingest [--database sqlite|postgres|both] [--repeats N] [--write]

Each cell is one start of one server, with every load once; servers take turns. With
``--write`` the section of docs/benchmarks.md is written.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.harness.cells import FOLDER, Cells, Measured, digest
from benchmarks.harness.page import write_section
from benchmarks.ingest import measure
from benchmarks.ingest.document import Repeats, document, rows
from benchmarks.ingest.mlflow_server import mlflow_served, peers_missing
from benchmarks.ingest.plan import CONNECTIONS, RETRIES, WARM_UP, plans
from benchmarks.ingest.served import served

MLFLOW_SHARE = 0.2
REPEATS = 5


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _parser().parse_args(arguments)
    kinds = ["sqlite", "postgres"] if options.database == "both" else [options.database]
    ours = Cells.of("ingest", ("service", "recipes"))
    theirs = Cells(FOLDER / "ingest", digest(["benchmarks/ingest"]))
    missing = peers_missing()
    if missing:
        print(f"MLflow is left out: {missing}")
    found: Repeats = {}
    for repeat in range(options.repeats):
        for kind in kinds:
            cell = ours.measured(f"{kind}-{repeat}", lambda kind=kind: _ours(kind))
            found.setdefault(kind, []).append(cell)
        if not missing:
            cell = theirs.measured(f"mlflow-{repeat}", _mlflow)
            found.setdefault("mlflow", []).append(cell)
        print(f"repeat {repeat + 1} of {options.repeats}", flush=True)
    for row in rows(found):
        print("  ".join(row))
    if options.write:
        if missing or options.database != "both":
            print("not written: the page shows both databases and MLflow", file=sys.stderr)
            return 1
        write_section("ingest", document(found))
    return 0


def _ours(kind: str) -> Measured:
    with served(kind, CONNECTIONS) as server:
        first = 0
        cell: Measured = {}
        for plan in [WARM_UP, *plans()]:
            cell[plan.name] = measure.points(
                server,
                size=plan.size,
                connections=plan.connections,
                count=plan.count,
                first=first,
            )
            first += plan.span
        cell[RETRIES.name] = measure.retries(
            server,
            size=RETRIES.size,
            connections=RETRIES.connections,
            count=RETRIES.count,
            first=first,
        )
    return cell


def _mlflow() -> Measured:
    with mlflow_served(CONNECTIONS) as server:
        first = 0
        cell: Measured = {}
        for plan in [WARM_UP, *plans(MLFLOW_SHARE)]:
            cell[plan.name] = server.points(
                size=plan.size,
                connections=plan.connections,
                count=plan.count,
                first=first,
            )
            first += CONNECTIONS * plan.span
    return cell


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest")
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
