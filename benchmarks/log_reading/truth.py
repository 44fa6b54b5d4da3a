"""What a file of the bench holds in truth, written by whoever wrote the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Place = Literal["epoch", "iteration"]
Part = Literal["calibration", "report"]

MOVED = frozenset(
    (
        *("20240101.log.json", "fairseq_json.log", "grid.txt", "megatron.log", "skorch.txt"),
        *("sentences.txt", "estimator.log", "lightgbm.txt"),
        *("imagenet.txt", "paddle.log", "phases.jsonl.gz", "bare.md"),
        *("quickstart.txt", "sweep.log", "opennmt.log", "dgl.txt", "printed.log"),
    )
)
"""Files written to report on, whose reading led to a change of the reader: they are for
calibration since."""

FILES = Path(__file__).parent / "files"
SUFFIX = ".truth.json"


@dataclass(frozen=True)
class RunTruth:
    """One run of a file.

    Attributes:
        curves: Values by ``train loss``, ``val accuracy`` and so on, in the file's order:
            accuracies and other shares as fractions, however the file gives them.
        labels: The place of each value as the file counts; None where it counts nothing.
        batch_losses: Train losses by iteration; empty where the file has none.
    """

    curves: Mapping[str, Sequence[float]]
    labels: Sequence[float] | None = None
    batch_losses: Sequence[float] = ()


@dataclass(frozen=True)
class Truth:
    """A file.

    Attributes:
        made_by: The library and its version, or the format whose documentation was followed.
        format: For the tally.
        runs: In the file's order.
        place: What the labels count.
        num_val: Validation samples, where accuracies come from counting.
        schedule: How the learning rate went, where the file tells; None where it does not.
        lr: The highest rate, where the file tells.
        tolerance: Relative error that the file's digits allow.
        unreadable: Why a person could not tell either, so that refusing is right; empty else.
    """

    made_by: str
    format: str
    runs: tuple[RunTruth, ...]
    place: Place = "epoch"
    num_val: int | None = None
    schedule: Literal["constant", "decayed"] | None = None
    lr: float | None = None
    tolerance: float = 1e-6
    unreadable: str = ""


@dataclass(frozen=True)
class LogCase:
    """A file to write: its name, its content, its truth. Content by path for a folder."""

    name: str
    content: bytes | Mapping[str, bytes]
    truth: Truth = field(repr=False)


def write(case: LogCase, part: Part) -> None:
    """Write a case and its truth beside it."""
    folder = FILES / ("calibration" if case.name in MOVED else part)
    folder.mkdir(parents=True, exist_ok=True)
    files = {case.name: case.content} if isinstance(case.content, bytes) else case.content
    for name, content in files.items():
        path = folder / (name if name == case.name else f"{case.name}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    text = json.dumps(asdict(case.truth), indent=None, default=list)
    (folder / f"{case.name}{SUFFIX}").write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Truth:
    """The truth of a file or folder, from beside it."""
    document = json.loads(path.with_name(path.name + SUFFIX).read_text(encoding="utf-8"))
    return Truth(**{**document, "runs": tuple(RunTruth(**run) for run in document["runs"])})
