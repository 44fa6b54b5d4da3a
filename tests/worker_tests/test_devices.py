from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from worker.agent.devices import CPU, Device, assign_slots, cuda_devices, num_cores, parse_listing

TWO = (Device("cuda:0", "0"), Device("cuda:1", "1"))


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        *(("", []), ("-1", []), ("0", ["0"]), ("2, 0", ["2", "0"]), ("1,-1,0", ["1"])),
        ("NoDevFiles", []),  # Slurm's word for none
        ("GPU-8932f937,MIG-41b9", ["GPU-8932f937", "MIG-41b9"]),
    ],
)
def test_cuda_visible_devices_is_obeyed(visible: str, expected: list[str]) -> None:
    found = cuda_devices({"CUDA_VISIBLE_DEVICES": visible})
    assert [device.cuda for device in found] == expected


def test_no_driver_means_no_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cuda_devices({}) == ()


def test_a_listing_is_read() -> None:
    devices = parse_listing("0, NVIDIA H200\n1, NVIDIA H200\nNo devices were found\n")
    assert devices == tuple(
        Device(f"cuda:{number} NVIDIA H200", number, is_by_bus=True) for number in ("0", "1")
    )


@pytest.mark.parametrize(
    ("num_slots", "devices", "cores", "expected"),
    [
        (None, (), 3, [CPU] * 3),
        (2, (), 8, [CPU] * 2),
        (None, TWO, 8, [*TWO]),
        (
            *(3, TWO, 8),
            [replace(TWO[0], num_slots=2), TWO[1], replace(TWO[0], num_slots=2)],
        ),
        (1, TWO, 8, [TWO[0]]),
    ],
)
def test_slots_get_devices_in_turn(
    num_slots: int | None, devices: tuple[Device, ...], cores: int, expected: list[Device]
) -> None:
    assert assign_slots(num_slots, devices, cores) == expected


def test_no_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="slots: 0 does not fit"):
        assign_slots(0, (), 4)


def test_there_is_a_core() -> None:
    assert num_cores() >= 1
