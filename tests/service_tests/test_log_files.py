"""Files and folders as they lie on disk: packed, of several runs, of several splits."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from recipes.training_logs.text import unpacked
from service.use_cases.log_files import log_sources, read_log_files

T = np.arange(1, 17)
TRAIN = (2 * np.exp(-T / 5) + 0.05).round(4).tolist()
VAL = (2 * np.exp(-T / 4) + 0.3).round(4).tolist()
CSV = "epoch,train_loss,val_loss\n" + "\n".join(
    f"{e},{a},{b}" for e, a, b in zip(T, TRAIN, VAL, strict=True)
)


def runs_of(path: Path) -> list[dict[tuple[str, str], list[float]]]:
    """The curves of every run of a file or folder."""
    found = []
    for source, files in log_sources([path]):
        reading = read_log_files(files, LogOptions(), source=str(source))
        assert reading.refused == []
        found += [{key: v.tolist() for key, v in run.curves.items()} for run in reading.runs]
    return found


def write_events(folder: Path, val: list[float], *, first: int = 0, name: str = "") -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), filename_suffix=name) as writer:
        for at, value in enumerate(val, start=first):
            writer.add_scalar("loss/val", value, at)


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "run.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    assert runs_of(path) == [{("loss", "train"): TRAIN, ("loss", "val"): VAL}]
    assert runs_of(tmp_path) == runs_of(path)


def test_packed_and_cut_off_gives_what_is_there() -> None:
    lines = b"".join(b"line %d\n" % at for at in np.random.default_rng(0).integers(0, 2**60, 999))
    packed = gzip.compress(lines)
    there = unpacked(packed[: len(packed) // 2])
    assert 0 < len(there) < len(lines)
    assert lines.startswith(there)


def test_packed_one_by_one_and_put_together() -> None:
    assert unpacked(gzip.compress(b"one") + gzip.compress(b"two")) == b"onetwo"


def test_damaged(tmp_path: Path) -> None:
    path = tmp_path / "run.csv.gz"
    path.write_bytes(b"\x1f\x8b\x08" + bytes(40))
    with pytest.raises(LogError, match="damaged"):
        runs_of(path)


def test_packed_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write_events(tmp_path / "run", VAL)
    (path,) = (tmp_path / "run").iterdir()
    plain = runs_of(path)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert runs_of(tmp_path) == plain
    assert plain[0]["loss", "val"] == pytest.approx(VAL, abs=1e-6)


def test_two_runs_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write_events(tmp_path, VAL, name="a")
    write_events(tmp_path, TRAIN, name="b")
    first, second = sorted(runs_of(tmp_path), key=lambda run: -run["loss", "val"][0])
    assert first["loss", "val"] == pytest.approx(max(VAL, TRAIN), abs=1e-6)
    assert second["loss", "val"] == pytest.approx(min(VAL, TRAIN), abs=1e-6)


def test_a_resumed_run_in_one_folder_is_one(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write_events(tmp_path, VAL[:10], name="a")
    write_events(tmp_path, VAL[8:], first=8, name="b")
    (run,) = runs_of(tmp_path)
    assert run["loss", "val"] == pytest.approx(VAL, abs=1e-6)


def test_nothing_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no event file"):
        list(log_sources([tmp_path]))
