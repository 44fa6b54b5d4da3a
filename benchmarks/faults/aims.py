"""What is asked of the report half."""

from __future__ import annotations

FEWEST = 10
"""Cases from which a code's numbers are told as such."""

WANTED_PRECISION = 0.9
WANTED_SEVERE = 0.9
WANTED_MILD = 0.7
WANTED_TOP_TWO = 0.9
WANTED_ALARMS = 0.02
WANTED_ERROR = 0.05
"""At least the precision of each code and the recall of severe and of mild faults, the share
of right causes among the first two; at most the share of healthy twins that are alarmed, and
the expected calibration error."""
