"""Decoded data: made once by whoever is first, whole or not at all, and remade when damaged."""

import logging
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from worker.data.cache_folder import clean
from worker.data.decoded import decoded, files_key

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEVENSTEP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


class Maker:
    """Makes the tensors, and leaves a line for each time it did."""

    def __init__(self, log: Path, *, seconds: float = 0.0) -> None:
        self.log = log
        self.seconds = seconds

    def __call__(self) -> dict[str, Tensor]:
        with self.log.open("a") as file:
            file.write("made\n")
        time.sleep(self.seconds)
        return {"inputs": torch.arange(600.0).reshape(100, 6)[::2], "labels": torch.arange(50)}

    @property
    def count(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "log")


def entry(folder: Path) -> Path:
    (found,) = folder.glob("*.safetensors")
    return found


def assert_right(found: dict[str, Tensor]) -> None:
    assert torch.equal(found["inputs"], torch.arange(600.0).reshape(100, 6)[::2])
    assert torch.equal(found["labels"], torch.arange(50))


def test_it_is_made_once_and_the_same_afterwards(make: Maker, folder: Path) -> None:
    assert_right(decoded("key", make))
    assert_right(decoded("key", make))

    assert make.count == 1
    assert sorted(path.suffix for path in folder.iterdir()) == [".safetensors"]


def test_another_key_is_made_anew(make: Maker) -> None:
    decoded("key", make)
    decoded("another", make)

    assert make.count == 2


def test_it_is_mapped_and_not_copied(make: Maker, folder: Path) -> None:
    kept = decoded("key", make)
    maps = Path("/proc/self/maps").read_text()

    assert_right(kept)
    assert str(entry(folder)) in maps


def test_writing_into_it_changes_nobody_elses(make: Maker) -> None:
    mine = decoded("key", make)
    mine["inputs"].zero_()

    assert_right(decoded("key", make))
    assert make.count == 1


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_a_byte_of_data(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _write_nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense" * 100)


def _forget_checksum(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"crc32", b"crc33"))


@pytest.mark.parametrize(
    "damage", [_cut, _flip_a_byte_of_data, _empty, _write_nonsense, _forget_checksum]
)
def test_a_damaged_file_is_made_again(damage, make: Maker, folder: Path) -> None:
    decoded("key", make)
    damage(entry(folder))

    assert_right(decoded("key", make))
    assert make.count == 2
    assert_right(decoded("key", make))
    assert make.count == 2


def test_processes_that_ask_at_once_wait_for_the_first(make: Maker) -> None:
    make.seconds = 0.5
    others = [FORK.Process(target=decoded, args=("key", make)) for _ in range(4)]
    for each in others:
        each.start()
    assert_right(decoded("key", make))
    for each in others:
        each.join()

    assert [each.exitcode for each in others] == [0] * 4
    assert make.count == 1


def _killed_while_it_decodes() -> None:
    def make() -> dict[str, Tensor]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    decoded("key", make)


def _killed_before_it_renames() -> None:
    marker = Path(os.environ["SEVENSTEP_CACHE_DIR"]) / "marker"
    os.environ["SEVENSTEP_FAILPOINT"] = f"decoded.before_rename@{marker}"
    decoded("key", lambda: {"x": torch.arange(1000)})


@pytest.mark.parametrize("die", [_killed_while_it_decodes, _killed_before_it_renames])
def test_a_kill_leaves_nothing_half_made(die, folder: Path) -> None:
    other = FORK.Process(target=die)
    other.start()
    other.join()
    assert other.exitcode == -signal.SIGKILL
    assert list(folder.glob("*.safetensors")) == []

    found = decoded("key", lambda: {"x": torch.arange(3)})

    assert len(found["x"]) == 3
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"]


def test_what_make_raises_passes_through_and_nothing_is_kept(folder: Path, make: Maker) -> None:
    def fail() -> dict[str, Tensor]:
        raise ValueError("no such image")

    with pytest.raises(ValueError, match="no such image"):
        decoded("key", fail)
    assert list(folder.iterdir()) == []
    assert_right(decoded("key", make))


def test_without_a_folder_it_is_made_each_time_and_said_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Maker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEVENSTEP_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert_right(decoded("key", make))
        assert_right(decoded("key", make))

    assert make.count == 2
    assert len(caplog.records) == 1
    assert "SEVENSTEP_CACHE_DIR" in caplog.text


def _with_a_full_disk(make: Maker) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    assert_right(decoded("key", make))


def test_a_disk_that_is_full_does_not_stop_it(make: Maker, folder: Path) -> None:
    other = FORK.Process(target=_with_a_full_disk, args=(make,))
    other.start()
    other.join()

    assert other.exitcode == 0
    assert list(folder.iterdir()) == []


def test_cleaning_keeps_what_was_used_last(make: Maker, folder: Path) -> None:
    for age, key in enumerate(("newest", "older", "oldest")):
        before = set(folder.glob("*.safetensors"))
        decoded(key, make)
        (path,) = set(folder.glob("*.safetensors")) - before
        os.utime(path, (time.time() - 100 * age,) * 2)
    size = entry_size(folder)

    clean(folder, max_bytes=2 * size)
    assert len(list(folder.iterdir())) == 2
    decoded("oldest", make)
    assert make.count == 4
    decoded("newest", make)
    decoded("older", make)
    assert make.count == 4


def entry_size(folder: Path) -> int:
    return next(folder.glob("*.safetensors")).stat().st_size


def test_cleaning_throws_away_what_nobody_used_for_long(make: Maker, folder: Path) -> None:
    decoded("key", make)
    os.utime(entry(folder), (time.time() - 40 * 86_400,) * 2)
    (folder / "abc.x1.tmp").write_text("left by a killed process")

    clean(folder)

    assert list(folder.iterdir()) == []


def test_a_files_key_changes_with_the_files_and_the_options(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    keys = {files_key([file]), files_key([file], size=32), files_key([file, file])}
    file.write_text("three")
    keys.add(files_key([file]))
    os.utime(file, (1, 1))
    keys.add(files_key([file]))

    assert len(keys) == 5
    assert files_key([file], a=1, b=2) == files_key([file], b=2, a=1)
