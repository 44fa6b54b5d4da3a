"""The section of docs/benchmarks.md: every load's rates, and what they were measured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.harness.cells import Measured
from benchmarks.harness.machine import machine
from benchmarks.harness.page import table
from benchmarks.harness.spread import Spread
from benchmarks.ingest.mlflow_server import peers_version
from benchmarks.ingest.plan import RETRIES, plans

Repeats = Mapping[str, Sequence[Measured]]
"""Cells by server, one a repeat."""
NAMES = {"sqlite": "SQLite", "postgres": "Postgres", "mlflow": "MLflow (SQLite)"}
HEADS = (
    "server",
    "batch",
    "connections",
    "points/s",
    "points per CPU second of the server",
    "ms to an answer",
)
TARGETS = {("sqlite", 50): 15_000, ("sqlite", 500): 40_000} | {
    ("postgres", 50): 10_000,
    ("postgres", 500): 30_000,
}
"""Points a second of eight connections that were set beforehand."""


def rows(found: Repeats) -> list[list[str]]:
    """One a server and load."""
    made = []
    for server, cells in found.items():
        for plan in [*plans(), RETRIES]:
            if plan.name not in cells[0]:
                continue
            retries = ", each four times" if plan is RETRIES else ""
            spreads = [
                Spread.of([cell[plan.name][what] for cell in cells])
                for what in ("points_per_second", "points_per_cpu_second", "latency_ms")
            ]
            made.append(
                [
                    NAMES[server],
                    f"{plan.size}{retries}",
                    str(plan.connections),
                    spreads[0].text(",.0f"),
                    spreads[1].text(",.0f"),
                    spreads[2].text(".1f"),
                ]
            )
    return made


def document(found: Repeats) -> str:
    """The section."""
    return "\n\n".join(
        [
            "`.venv/bin/python -m benchmarks.ingest --write`",
            "A `sevenstep serve --no-worker` process, and a load generator in a process of its own"
            " on the same machine: keep-alive connections, the next request of each as soon as"
            " the answer to the last is there. Every request passes authentication, validation,"
            " the fence and the check for points that are there already, and is answered once"
            " its commit is on the disk (SQLite with `synchronous=FULL`, Postgres with its own"
            " settings). Each connection writes for an attempt of its own, all of one study; a"
            " batch holds points of two curves. The limit of requests a token is off. MLflow's"
            " server has its own settings, one worker process and a SQLite file; it gets the"
            " same points by `runs/log-batch`, without authentication.",
            table(HEADS, rows(found)),
            f"Medians of {len(next(iter(found.values())))} repeats that took turns. After each"
            " load the points in the database were counted and, but for MLflow's, their values"
            " summed: none was lost or doubled, in the loads of retries neither, where two"
            " connections send each batch twice side by side (their rate counts what was sent)."
            " Of Postgres's server no CPU time is counted.",
            _targets(found),
            machine(("fastapi", "uvicorn", "pydantic", "sqlalchemy", "psycopg"))
            + f" MLflow {peers_version()}.",
        ]
    )


def _targets(found: Repeats) -> str:
    told = []
    for (server, size), target in TARGETS.items():
        rates = [cell[f"{size}x8"]["points_per_second"] for cell in found[server]]
        median = Spread.of(rates).median
        word = "reached" if median >= target else "missed"
        told.append(f"{NAMES[server]} at {size}: {target:,} {word} ({median:,.0f})")
    return "Set beforehand, in points a second of eight connections: " + "; ".join(told) + "."
