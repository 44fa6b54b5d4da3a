"""Two public logs (Apache-2.0), read where they lie beside the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.log_reading.judging import Verdict, judge
from benchmarks.log_reading.truth import RunTruth, Truth
from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import read_log

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "logs"
NAMES = ("log-dense101-vs-resnet34_v2.md", "log-resnet_18-vs-34-vs-50.md")
SAMPLES = 12_032
"""Validation samples, as both logs say in their head."""

EPOCH = re.compile(r"^(\S+) - Epoch (\d+)/\d+$")
RATE = re.compile(r"^lr: \[?([^\]\s]+)\]?$")
RESULT = re.compile(r"^(train|test) Loss: (\S+) Top-1 Acc: (\S+) Top-5 Acc: (\S+)$")


def public_verdicts() -> Iterator[tuple[str, str, str, Verdict]]:
    """Name, format, writer and verdict of each; says so where a log is not there."""
    for name in NAMES:
        path = FOLDER / name
        if not path.exists():
            print(f"{name} is not here and was skipped")
            continue
        yield name, "plain, by hand", "pytorch training script", _verdict(path)


def _verdict(path: Path) -> Verdict:
    try:
        reading = read_log(path.read_bytes(), LogOptions(), source=path.name)
    except LogError as error:
        return Verdict("refused", str(error))
    return judge(reading, truth_of(path.read_text(encoding="utf-8")))


def truth_of(text: str) -> Truth:
    """The truth of such a log, by patterns for it alone."""
    runs: dict[str, dict[str, list[float]]] = {}
    epochs: dict[str, list[float]] = {}
    rates: list[float] = []
    model = ""
    for line in text.splitlines():
        if found := EPOCH.match(line.strip()):
            model = found[1]
            epochs.setdefault(model, []).append(float(found[2]))
        elif found := RATE.match(line.strip()):
            rates.append(float(found[1]))
        elif found := RESULT.match(line.strip()):
            split = "train" if found[1] == "train" else "val"
            curves = runs.setdefault(model, {})
            curves.setdefault(f"{split} loss", []).append(float(found[2]))
            curves.setdefault(f"{split} accuracy", []).append(float(found[3]) / 100)
            curves.setdefault(f"{split} top5_accuracy", []).append(float(found[4]) / 100)
    return Truth(
        "pytorch training script",
        "plain, by hand",
        tuple(RunTruth(curves, epochs[name]) for name, curves in runs.items()),
        num_val=SAMPLES,
        schedule="decayed",
        lr=max(rates),
    )
