"""How the service grows with trials, studies and workers.

    python -m benchmarks.scale [--database sqlite|postgres|both] [--write]

Trials are made in bulk, by a worker that trains nothing; all else is the service's own way:
the real database (SQLite with ``synchronous=FULL``, Postgres with ``fsync``), the real
application in this process, the real steps. With ``--write`` the tables go into
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.cells import Cells, Measured
from benchmarks.harness.machine import machine
from benchmarks.harness.page import table, write_section
from benchmarks.harness.spread import Spread
from benchmarks.scale.measures import Numbers, large_study, long_queue, many_studies
from service.settings import Settings
from tests.postgres import PostgresServer

DATABASES = ("sqlite", "postgres")
Measure = Callable[[Settings, int], Numbers]
PARTS: tuple[tuple[str, str, Measure, tuple[int, ...]], ...] = (
    ("trials", "One study, by its trials", large_study, (100, 1_000, 10_000)),
    ("queue", "One study, by its queued trials; 50 workers", long_queue, (100, 1_000, 10_000)),
    ("studies", "Studies with a trial queued each; 50 workers", many_studies, (100, 1_000)),
)
"""File name of the cells, title, what is measured, sizes."""


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description="How the service grows."
    )
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--part", choices=[name for name, *_ in PARTS], help="only this one")
    parser.add_argument("--most", type=int, default=10_000, help="largest size")
    parser.add_argument("--write", action="store_true", help="write the page's section")
    options = parser.parse_args(arguments)
    logging.disable(logging.INFO)
    databases = DATABASES if options.database == "both" else (options.database,)
    parts = [part for part in PARTS if options.part in (None, part[0])]
    cells = Cells.of("scale", ("service", "recipes", "migrations"))
    tables = []
    for database in databases:
        with settings_for(database) as fresh:
            for part, title, measure, all_sizes in parts:
                sizes = [size for size in all_sizes if size <= options.most]
                found = [
                    cells.measured(
                        f"{database}-{part}-{size}", lambda m=measure, s=size: m(fresh(), s)
                    )
                    for size in sizes
                ]
                text = f"### {title}: {NAMES[database]}\n\n{_table(sizes, found)}"
                print(f"\n{text}", flush=True)
                tables.append(text)
    if options.write:
        write_section("scale", "\n\n".join([_words(), *tables, machine(PACKAGES)]))
    return 0


NAMES = {"sqlite": "SQLite", "postgres": "Postgres"}
PACKAGES = ("fastapi", "sqlalchemy", "psycopg")


@contextmanager
def settings_for(database: str) -> Iterator[Callable[[], Settings]]:
    """Makes settings of a service on an empty database of this kind, a new one each time."""
    with tempfile.TemporaryDirectory() as folder:
        if database == "sqlite":
            yield lambda: _settings(Path(tempfile.mkdtemp(dir=folder)), "")
            return
        server = PostgresServer.start(durable=True)
        try:
            # Lent by the context, and never given back: the next one must be empty.
            yield lambda: _settings(
                Path(tempfile.mkdtemp(dir=folder)), server.database().__enter__()
            )
        finally:
            server.stop()


def _settings(folder: Path, url: str) -> Settings:
    return Settings(
        data_dir=folder,
        database_url=url,
        run_conductor=False,
        max_requests_per_second=0,
        max_claims_per_second=0,
    )


def _table(sizes: Sequence[int], found: Sequence[Measured]) -> str:
    rows = []
    for name in found[0]:
        spreads = [Spread(**each[name]) for each in found]
        growth = spreads[-1].median / spreads[0].median
        rows.append([name, *(each.text() for each in spreads), f"{growth:.1f}"])
    last = f"{sizes[-1]:,} : {sizes[0]:,}"
    return table(["milliseconds", *(f"{size:,}" for size in sizes), last], rows)


def _words() -> str:
    return (
        "Milliseconds, medians and quartiles; in the last column how many times as long the"
        " largest takes as the smallest. Requests go through the application in the same process,"
        " authentication and all; decisions are the conductor's, without their commit. A later"
        " step has 8 to 16 trials of its own, whatever the search before it had.\n\n"
        "`python -m benchmarks.scale --write`"
    )


if __name__ == "__main__":
    raise SystemExit(main())
