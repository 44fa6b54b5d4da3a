"""The tally as a page of the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.log_reading.judging import Outcome, Verdict

OUTCOMES: tuple[Outcome, ...] = ("right", "in part", "refused", "wrong")

HEAD = """# How logs are read

How often `sevenstep diagnose` reads a file rightly. Every file was written without the reader's
code: by the library itself where it could be installed, else by a writer that follows the
format's public documentation. What a file holds in truth lies beside it. A file counts as
*wrong* when a single number, split, place, sample count or schedule that was read is wrong; as
read *in part* when all that was read is right and a loss or an accuracy was left out; as
*refused* when nothing was claimed. The reader was improved on the calibration files and the bad
input alone; the report files are of other writers, names, layouts and seeds.

Made by `python -m benchmarks.log_reading --write`.
"""

LOOKS = """## How often the report files were looked at

Six times. A file whose reading led to a change of the reader is no evidence for it any more:
it moved to the calibration files, and files of other kinds and writers were added before the
next look, so the tally above holds only files that no change was made for.

| look | files | right | in part | refused | wrong | what was done |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| 1 | 39 | 25 | 2 | 8 | 4 | eight files moved, ten added. Of the four, one ended the reader \
with an exception (rows of no mode), one took an evaluation that names no split for training \
(TensorFlow's Estimator); for the other two the written truth was at fault: validation at every \
eighth iteration is validation at every epoch of eight, and a round of boosting counts as an \
epoch |
| 2 | 41 | 30 | 2 | 6 | 3 | three files moved (a batch counter read as a place, a heading \
"Eval begin", a column of modes taken for that of splits), eight added |
| 3 | 46 | 36 | 2 | 7 | 1 | one file moved (a Markdown table headed *Train*, *Valid* and *Acc*: \
now refused), 18 added |
| 4 | 63 | 47 | 3 | 9 | 4 | three files moved (a heading "Test Error", the next trial's rate in \
its heading taken for this one's and for constant, a batch's `xent` taken for validation), \
eleven added. For two of the four the written truth was at fault: it left out that the mean of \
a train loss printed by batch is its curve, and counted iterations where epochs stand too |
| 5 | 71 | 55 | 3 | 11 | 2 | one file moved (a bare accuracy beside a bare loss was taken for \
training: it is now left out), six added. For the other the written truth left out the mean of \
the batches again |
| 6 | 76 | 62 | 3 | 11 | 0 | nothing: the six new files were read rightly; one file moved since \
(a setting `epochs=16` was taken for an epoch, and the file refused for it) |

So on files never seen before, 14 of 92 were wrong, five of them by the fault of their writers:
a reader of logs meets kinds it does not know, and what it guessed is therefore said.
"""


@dataclass(frozen=True)
class Row:
    """A file and what became of it."""

    part: str
    name: str
    format: str
    made_by: str
    verdict: Verdict

    @staticmethod
    def counts(rows: Sequence[Row]) -> str:
        """The tally in words."""
        found = Counter(row.verdict.outcome for row in rows)
        return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES)


def page_of(rows: Sequence[Row]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *_summary(rows), "", LOOKS.strip(), "", *_parts(rows)]) + "\n"


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    yield "| files | right | in part | refused | wrong |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for part in dict.fromkeys(row.part for row in rows):
        own = [row for row in rows if row.part == part]
        found = Counter(row.verdict.outcome for row in own)
        cells = " | ".join(str(found[outcome]) for outcome in OUTCOMES)
        yield f"| {part} ({len(own)}) | {cells} |"


def _parts(rows: Sequence[Row]) -> Iterator[str]:
    for part in dict.fromkeys(row.part for row in rows):
        yield f"## {part.capitalize()}\n"
        yield "| file | format | written by | read | |"
        yield "| --- | --- | --- | --- | --- |"
        for row in rows:
            if row.part == part:
                why = row.verdict.why.replace("|", "\\|").replace("<", "&lt;")
                why = why if len(why) <= 160 else f"{why[:157]}..."
                read = f"{row.verdict.outcome} | {why}"
                yield f"| {row.name} | {row.format} | {row.made_by} | {read} |"
        yield ""
