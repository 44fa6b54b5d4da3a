"""How much memory may still be taken, of a GPU's and of the machine's."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

MEMORY_INFORMATION = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where a container sees its own."""
LIMITS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Files with a control group's limit, with what it holds, and with the part of that which the
kernel drops when memory runs short, under this name. Version 2, then version 1
(https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/memory.html)."""


def free_bytes(device: torch.device) -> float:
    """What may still be taken: of a GPU's memory this process's share, of the machine's all.

    Of the machine's no more than its container may have.
    """
    if device.type == "cuda":
        # By its number: torch does not tell this process's share without it.
        number = torch.cuda.current_device() if device.index is None else device.index
        free, total = torch.cuda.mem_get_info(number)
        share = torch.cuda.get_per_process_memory_fraction(number) * total
        held = torch.cuda.memory_allocated(number)
        unused = torch.cuda.memory_reserved(number) - held
        return float(min(free + unused, share - held))
    return min(_free_in_machine(), _free_in_container())


def _free_in_machine() -> float:
    """What the kernel reckons that it could hand out, files it keeps and can drop included."""
    try:
        return 1024 * _entry(MEMORY_INFORMATION, "MemAvailable:")
    except (OSError, KeyError):  # not Linux
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _free_in_container() -> float:
    """What the control group's limit leaves; infinity where it has none."""
    for limit, usage, statistics, dropped in LIMITS:
        try:
            most, held = (float((CONTROL_GROUP / name).read_text()) for name in (limit, usage))
            return max(0.0, most - held + _entry(CONTROL_GROUP / statistics, dropped))
        except (OSError, ValueError, KeyError):  # not this version, or a limit of "max"
            continue
    return math.inf


def _entry(path: Path, name: str) -> float:
    """The number behind a name in a file of the kernel's.

    Raises:
        OSError: There is no such file.
        KeyError: It does not have the name.
    """
    entries = (line.split() for line in path.read_text().splitlines())
    return float({words[0]: words[1] for words in entries if len(words) > 1}[name])
