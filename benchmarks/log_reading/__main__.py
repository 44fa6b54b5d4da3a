"""Read every file of the bench, and count what came of it.

    python -m benchmarks.log_reading [calibration] [report] [public] [bad] [--write]

The reader was improved on the calibration half and the bad input alone. ``--write`` puts the
tally into ``docs/reference/log-reading.md``. Exit code 1 where a file was read wrongly.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.log_reading.bad_input import bad_verdicts
from benchmarks.log_reading.judging import Verdict, judge, refused
from benchmarks.log_reading.page import Row, page_of
from benchmarks.log_reading.public_logs import public_verdicts
from benchmarks.log_reading.truth import FILES, SUFFIX, Truth, read
from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from service.use_cases.log_files import log_sources, read_log_files

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "log-reading.md"
PARTS = ("calibration", "report", "public", "bad")


def main(arguments: list[str]) -> int:
    """The command; returns its exit code."""
    parts = [part for part in PARTS if part in arguments] or list(PARTS)
    rows: list[Row] = []
    for part in parts:
        if part == "bad":
            rows += [Row("bad", name, "", "", verdict) for name, verdict in bad_verdicts()]
            continue
        if part == "public":
            rows += [Row("public", *row) for row in public_verdicts()]
            continue
        for path in sorted((FILES / part).glob(f"*{SUFFIX}")):
            source = path.with_name(path.name.removesuffix(SUFFIX))
            truth = read(source)
            rows.append(
                Row(part, source.name, truth.format, truth.made_by, verdict(source, truth))
            )
    for row in rows:
        print(f"{row.part:12} {row.name:28} {row.verdict.outcome:8} {row.verdict.why}")
    for part in parts:
        print(f"{part}: {Row.counts([row for row in rows if row.part == part])}")
    if "--write" in arguments:
        PAGE.write_text(page_of(rows), encoding="utf-8")
    return int(any(row.verdict.outcome == "wrong" for row in rows))


def verdict(source: Path, truth: Truth) -> Verdict:
    """Read a file or folder as ``sevenstep diagnose`` does, and judge it."""
    readings = []
    try:
        for path, files in log_sources([source]):
            readings.append(read_log_files(files, LogOptions(), source=str(path)))
    except LogError as error:
        return refused(str(error))
    whole = readings[0]
    for other in readings[1:]:
        whole.runs += other.runs
        whole.refused += other.refused
    return judge(whole, truth)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
