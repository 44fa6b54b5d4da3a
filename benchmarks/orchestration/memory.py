"""What processes weigh, by Linux's /proc."""

from __future__ import annotations

import re
from pathlib import Path


def megabytes(pid: int, what: str = "VmRSS") -> float:
    """A process's memory.

    Args:
        pid: Of the process.
        what: A line of /proc/PID/status: ``VmRSS`` now, ``VmHWM`` at most.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None, f"Linux has {what}"
    return int(found[1]) / 1024


def family(pid: int) -> list[int]:
    """A process and all it has started."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(parent, []).append(int(status.parent.name))
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting += parents.get(each, [])
    return found


def unique_megabytes(pids: list[int]) -> float:
    """What processes have to themselves, shared libraries counted once (PSS)."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1024
