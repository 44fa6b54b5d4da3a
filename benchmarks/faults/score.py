"""From rows of diagnoses to numbers. Pure: lists in, numbers out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.faults.rows import Row

HEALTHY = "healthy"
NOTHING = "(nothing)"
Z95 = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


class Share(NamedTuple):
    """A share with Wilson's 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """NaN of none."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (1927), 0 to 1 of none."""
        return wilson(self.hits, self.n)

    def __str__(self) -> str:
        """In percent, with interval and counts."""
        if not self.n:
            return "n/a"
        low, high = self.interval
        return (
            f"{100 * self.value:.0f} % ({100 * low:.0f} to {100 * high:.0f}; {self.hits}/{self.n})"
        )


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share.

    Args:
        hits: Of n, at most n.
        n: Trials; 0 gives (0, 1).
        z: Quantile of the normal distribution.

    Raises:
        ValueError: hits is not within 0 to n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"hits: {hits} does not fit n={n}; give a count from 0 to n")
    if n == 0:
        return 0.0, 1.0
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def sick(rows: Iterable[Row]) -> list[Row]:
    """Those with a fault in them."""
    return [row for row in rows if row.fault]


def twins(rows: Iterable[Row]) -> list[Row]:
    """The healthy ones."""
    return [row for row in rows if not row.fault]


def false_alarms(rows: Iterable[Row]) -> Share:
    """Healthy twins with a warning or an error that is not true of the task as it is."""
    own = twins(rows)
    return Share(sum(bool(row.alarms) for row in own), len(own))


def alarm_codes(rows: Iterable[Row]) -> Counter[str]:
    """Which codes were said of healthy twins, as warnings or errors."""
    return Counter(code for row in twins(rows) for code in {each.code for each in row.alarms})


def precision(rows: Sequence[Row], code: str) -> Share:
    """Of the runs said to have it, those for which it is true, twins included."""
    having = [row for row in rows if any(each.code == code for each in row.answers)]
    return Share(sum(row.is_true(code) for row in having), len(having))


def recall(rows: Iterable[Row], code: str, severity: str) -> Share:
    """Of the runs whose fault is answered by the code, those answered by any right code."""
    own = [row for row in sick(rows) if code in row.codes and row.severity == severity]
    return Share(sum(row.is_found for row in own), len(own))


def fault_recall(rows: Iterable[Row], fault: str, severity: str) -> Share:
    """Of a fault's runs, those answered by a right code."""
    own = [row for row in rows if row.fault == fault and row.severity == severity]
    return Share(sum(row.is_found for row in own), len(own))


def overall_recall(rows: Iterable[Row], severity: str) -> Share:
    """Of all runs with a fault of a severity, those answered by a right code."""
    own = [row for row in sick(rows) if row.severity == severity]
    return Share(sum(row.is_found for row in own), len(own))


def top_causes(rows: Iterable[Row], places: int) -> Share:
    """Of the runs with a fault, those whose first hypotheses name it."""
    own = sick(rows)
    return Share(sum(row.names_cause(places) for row in own), len(own))


def confusion(rows: Iterable[Row]) -> dict[tuple[str, str], int]:
    """How often each fault (``healthy`` for twins) was answered first by each code."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        first = row.answers[0].code if row.answers else NOTHING
        counts[row.fault or HEALTHY, first] += 1
    return dict(counts)


class Bin(NamedTuple):
    """Findings of similar confidence: how many, mean confidence, share that is true."""

    n: int
    confidence: float
    accuracy: float


def reliability(rows: Iterable[Row], *, bins: int = 10) -> list[Bin]:
    """Answers by confidence, in at most ``bins`` bins of about as many answers each.

    Answers of equal confidence stay in one bin, whatever its size.
    """
    by_confidence: defaultdict[float, list[bool]] = defaultdict(list)
    for row in rows:
        for each in row.answers:
            by_confidence[each.confidence].append(row.is_true(each.code))
    total = sum(map(len, by_confidence.values()))
    found: list[Bin] = []
    own: list[tuple[float, bool]] = []
    num_binned = 0
    for confidence, right in sorted(by_confidence.items()):
        own += [(confidence, is_true) for is_true in right]
        if bins * (num_binned + len(own)) >= total * (len(found) + 1):
            num_binned += len(own)
            found.append(
                Bin(
                    len(own),
                    sum(each for each, _ in own) / len(own),
                    sum(is_true for _, is_true in own) / len(own),
                )
            )
            own = []
    return found


def calibration_error(found: Sequence[Bin]) -> float:
    """Expected calibration error (Naeini, Cooper, Hauskrecht 2015): the bins' differences of
    confidence and accuracy, weighted by their findings; NaN of none."""
    total = sum(each.n for each in found)
    if not total:
        return math.nan
    return sum(each.n * abs(each.confidence - each.accuracy) for each in found) / total


class ToolScore(NamedTuple):
    """One tool over a set of rows, scored alike.

    Attributes:
        severe: Recall on severe faults.
        mild: Recall on mild ones.
        precision: Of its verdicts on all runs, those that are true of the run.
        alarms: Healthy twins with a verdict.
    """

    severe: Share
    mild: Share
    precision: Share
    alarms: Share


def tool_score(rows: Sequence[Row], tool: str) -> ToolScore:
    """A tool's recall, precision and false alarms on the rows it was run on.

    A verdict is true when one of our codes for it is; it finds the fault when one of them
    is a right code.
    """
    own = [row for row in rows if tool in row.tools]

    def found(row: Row) -> bool:
        return any(codes & row.codes for codes in row.tools[tool])

    def share(severity: str) -> Share:
        some = [row for row in sick(own) if row.severity == severity]
        return Share(sum(map(found, some)), len(some))

    verdicts = [(row, codes) for row in own for codes in row.tools[tool]]
    true = sum(bool(codes & (row.codes | row.also)) for row, codes in verdicts)
    healthy = twins(own)
    return ToolScore(
        share("severe"),
        share("mild"),
        Share(true, len(verdicts)),
        Share(sum(bool(row.tools[tool]) for row in healthy), len(healthy)),
    )


def own_score(rows: Sequence[Row]) -> ToolScore:
    """The product's findings scored as the tools' verdicts are."""
    verdicts = [(row, each.code) for row in rows for each in row.answers]
    return ToolScore(
        overall_recall(rows, "severe"),
        overall_recall(rows, "mild"),
        Share(sum(row.is_true(code) for row, code in verdicts), len(verdicts)),
        false_alarms(rows),
    )


def all_codes(rows: Iterable[Row]) -> list[str]:
    """Every code that was said as an answer, or should have been."""
    said = {each.code for row in rows for each in row.answers}
    wanted = {code for row in rows for code in row.codes}
    return sorted(said | wanted)
