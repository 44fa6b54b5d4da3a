"""What memory may still be taken: of a GPU, of the machine, of a container."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch.cuda._utils import _get_device_index

from tests.worker_tests.training_tasks import CPU
from worker.fused import free_memory
from worker.fused.free_memory import free_bytes
from worker.slot.jobs import slot_device

AVAILABLE = "MemTotal:  9000 kB\nMemFree:  100 kB\nMemAvailable:  4000 kB\n"


def written(files: Mapping[str, str], folder: Path) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_gpu_is_asked_for_by_its_number(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(value: object) -> Callable[[object], object]:
        def of(asked: object) -> object:
            assert _get_device_index(asked) == 0  # raises without a number, as torch's own does
            return value

        return of

    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", told((300, 1_000)))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", told(0.5))
    monkeypatch.setattr(torch.cuda, "memory_allocated", told(20))
    monkeypatch.setattr(torch.cuda, "memory_reserved", told(50))

    assert free_bytes(torch.device(device)) == 330.0


@pytest.mark.parametrize(
    ("is_there", "device"), [(True, torch.device("cuda", 0)), (False, CPU)], ids=["gpu", "none"]
)
def test_a_slot_gives_its_gpu_a_number(
    is_there: bool, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_there)

    assert slot_device() == device


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 4_000 * 1024),
        (
            {
                "memory.max": "1000000\n",
                "memory.current": "900000\n",
                "memory.stat": "anon 600000\ninactive_file 250000\n",
            },
            350_000,
        ),
        (
            {
                "memory.max": "max\n",
                "memory.current": "900000\n",
                "memory.stat": "inactive_file 250000\n",
            },
            4_000 * 1024,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "1000000\n",
                "memory/memory.usage_in_bytes": "900000\n",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 50000\n",
            },
            150_000,
        ),
    ],
    ids=["no container", "version 2", "without a limit", "version 1"],
)
def test_of_the_machine_what_is_available_within_the_containers_limit(
    files: Mapping[str, str], free: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = written({"meminfo": AVAILABLE}, tmp_path) / "meminfo"
    monkeypatch.setattr(free_memory, "MEMORY_INFORMATION", information)
    monkeypatch.setattr(free_memory, "CONTROL_GROUP", written(files, tmp_path / "groups"))

    assert free_bytes(CPU) == free


def test_a_machine_that_does_not_say_what_is_available_is_asked_for_its_free_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "MEMORY_INFORMATION", tmp_path / "none")
    monkeypatch.setattr(free_memory, "CONTROL_GROUP", tmp_path)

    assert 0 < free_bytes(CPU) < math.inf
