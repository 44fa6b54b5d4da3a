"""A budget of wall-clock time is met by a whole study, on a machine that is busy too.

How busy it is the tests say themselves: nothing else runs beside them.
"""

import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.acceptance_tests.small_study import ALL_STEPS
from tests.acceptance_tests.tasks import path
from tests.processes import Installation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(400),
]

LEAST_SHARE, MOST_SHARE = 0.70, 1.05

BUSY = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True:
    pass
"""
"""Loads one core until its input closes, with us or before."""


@contextmanager
def one_core_loaded():
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate()


@pytest.fixture
def installation(tmp_path):
    with Installation(tmp_path / "data", slots=2, quick=False) as installation:
        yield installation


def spend(installation, seconds):
    """Run a study that could use far more; the share of the budget that it took."""
    began_at = time.monotonic()
    study = installation.create(
        path("Costly"), steps=ALL_STEPS, budget={"wall_seconds": float(seconds)}
    )
    report = installation.wait(study, seconds=2 * seconds)
    took = time.monotonic() - began_at

    assert (report.state, report.reason) == ("completed", "budget")
    assert report.budget.used.wall_seconds == pytest.approx(took, abs=1.0)
    assert report.best.num_seeds >= 1
    assert report.test is not None
    assert {4, 5, 6, 7} <= {step.number for step in report.steps}
    return took / seconds


@pytest.mark.parametrize("seconds", [60, 120])
def test_a_budget_is_used_and_kept(seconds, installation):
    assert LEAST_SHARE <= spend(installation, seconds) <= MOST_SHARE


@pytest.mark.parametrize("seconds", [60, 120])
def test_a_budget_is_used_and_kept_on_a_busy_machine(seconds, installation):
    with one_core_loaded():
        assert LEAST_SHARE <= spend(installation, seconds) <= MOST_SHARE
