"""Treat sick studies by their first prescription, and say whether it helped.

    python -m benchmarks.prescriptions calibration|follow-up|report [--only NAME] [--seed N]
        [--sentences] [--reason WHY] [--write]

``report`` carries out all of the twelve and writes the look down in ``ledger.json``; with
``--write`` it writes docs/prescriptions.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from benchmarks.faults.store import rules_digest
from benchmarks.prescriptions.document import document, row
from benchmarks.prescriptions.ledger import Look, note_look
from benchmarks.prescriptions.patient import treat
from benchmarks.prescriptions.studies import CALIBRATION, FOLLOW_UP, REPORT

STUDIES = {"calibration": CALIBRATION, "follow-up": FOLLOW_UP, "report": REPORT}
PAGE = Path(__file__).parents[2] / "docs" / "prescriptions.md"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    is_report = options.studies == "report"
    if is_report and options.only:
        parser.error("report is looked at as a whole; leave --only out")
    if options.write and not is_report:
        parser.error("--write is for report")
    rules = rules_digest()  # before the run: what is loaded now is what judges
    made = []
    for study in STUDIES[options.studies]:
        if options.only and not re.search(options.only, study.name):
            continue
        started = time.process_time()
        outcome = treat(study, seed=options.seed)
        made.append(outcome)
        print(row(outcome), f"[{time.process_time() - started:.0f} CPU s]", flush=True)
        if options.sentences:
            for finding in outcome.findings:
                print(f"    {finding.code}: {finding.sentence}", flush=True)
    helped = sum(each.is_better for each in made)
    print(f"{helped} of {len(made)} better than noise")
    if is_report:
        looks = note_look(Look(options.reason, rules, helped))
        if options.write:
            PAGE.write_text(document(made, looks=looks, seed=options.seed))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prescriptions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("studies", choices=sorted(STUDIES))
    parser.add_argument("--only", help="studies whose name this pattern is found in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sentences", action="store_true", help="print what was found")
    parser.add_argument("--reason", default="made again", help="why the twelve are looked at")
    parser.add_argument("--write", action="store_true", help="write the page in docs/")
    return parser


if __name__ == "__main__":
    sys.exit(main())
