"""Write the files of the bench that no library is needed for.

python -m benchmarks.log_reading.make calibration|report
"""

from __future__ import annotations

import sys

from benchmarks.log_reading import calibration_files
from benchmarks.log_reading.report import (
    fifth_look,
    first_look,
    fourth_look,
    second_look,
    sixth_look,
    third_look,
)
from benchmarks.log_reading.truth import write

REPORT = (first_look, second_look, third_look, fourth_look, fifth_look, sixth_look)
"""In the order they were written: one more for each look."""


def main(part: str) -> None:
    """Write one part's files and their truths."""
    if part == "calibration":
        for case in calibration_files.cases():
            write(case, "calibration")
    elif part == "report":
        for module in REPORT:
            for case in module.cases():
                write(case, "report")
    else:
        sys.exit(f"{part!r} is no part; give calibration or report")


if __name__ == "__main__":
    main(*sys.argv[1:])
