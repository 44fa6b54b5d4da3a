"""Freed memory is kept, so that an iteration does not wait for its pages anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ITERATIONS = 20
FAULTS = f"""
import resource, torch
from worker.slot.freed_memory import keep_freed_memory
assert keep_freed_memory()

def iterate():
    return len([torch.ones(2_500_000) for _ in range(8)])

for _ in range(5):
    iterate()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ITERATIONS}):
    iterate()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_pages_are_asked_for_once() -> None:
    command = [sys.executable, "-c", FAULTS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # Otherwise it is 19,500 an iteration, most of the times.
    assert int(done.stdout) < 100 * ITERATIONS
