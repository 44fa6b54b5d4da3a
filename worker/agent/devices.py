"""Which devices this machine has, found without loading torch."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

NVIDIA_SMI = ("nvidia-smi", "--query-gpu=index,name", "--format=csv,noheader")
NVIDIA_SMI_SECONDS = 20.0
"""A driver that has to wake its devices first can take this long."""
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Device:
    """One thing to train on.

    Attributes:
        name: For people: ``cpu``, ``cuda:0 NVIDIA H200``.
        cuda: What CUDA_VISIBLE_DEVICES must say to see this one alone; empty on the CPU.
        num_slots: How many slots share it.
        is_by_bus: Whether ``cuda`` is its place on the PCI bus, as nvidia-smi counts. CUDA itself
            puts the fastest first.
    """

    name: str
    cuda: str = ""
    num_slots: int = 1
    is_by_bus: bool = False


CPU = Device("cpu")


def cuda_devices(environment: Mapping[str, str]) -> tuple[Device, ...]:
    """The CUDA devices this process may use: CUDA_VISIBLE_DEVICES' own, else all there are."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        # CUDA itself ignores everything from the first invalid entry on; -1 is the usual one.
        names = (name.strip() for name in visible.split(","))
        return tuple(Device(f"cuda:{name}", name) for name in takewhile(_is_device, names))
    try:
        listing = subprocess.run(
            NVIDIA_SMI, capture_output=True, text=True, timeout=NVIDIA_SMI_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()  # no driver, no devices: training goes to the CPU
    return parse_listing(listing)


def parse_listing(listing: str) -> tuple[Device, ...]:
    """The devices in nvidia-smi's lines of ``index, name``."""
    rows = (line.partition(",") for line in listing.splitlines() if "," in line)
    return tuple(
        Device(f"cuda:{index.strip()} {name.strip()}", index.strip(), is_by_bus=True)
        for index, _, name in rows
    )


def _is_device(name: str) -> bool:
    """Whether an entry of CUDA_VISIBLE_DEVICES names one: by its number, or by its UUID."""
    return name.isdecimal() or name.startswith(("GPU-", "MIG-"))


def num_cores() -> int:
    """The processor cores this process may use: its affinity, cut by a container's quota."""
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        available = os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
        return max(1, min(available, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup version 2, or a quota of "max"
        return available


def assign_slots(num_slots: int | None, devices: tuple[Device, ...], cores: int) -> list[Device]:
    """The device of each slot.

    Args:
        num_slots: How many; None picks one for each CUDA device, else one for each core
            (a slot on the CPU trains with one thread).
        devices: The CUDA devices, shared in turn when there are more slots.
        cores: Processor cores, for machines without CUDA.
    """
    if num_slots is not None and num_slots < 1:
        raise ValueError(f"slots: {num_slots} does not fit; give 1 or more, or auto")
    if not devices:
        return [CPU] * (num_slots or max(1, cores))
    taken = [slot % len(devices) for slot in range(num_slots or len(devices))]
    return [replace(devices[each], num_slots=taken.count(each)) for each in taken]
