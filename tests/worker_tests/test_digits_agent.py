"""The whole worker, as a person starts it, on real digits, against the small service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from recipes.run import Job, JobKind, MemberSpec, RunSpec, TaskRef
from recipes.wire import AttemptState
from tests.worker_tests.fake_service import TOKEN, FakeService

SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")


def digits_job(*, epochs: int, num_members: int = 1) -> Job:
    members = tuple(
        MemberSpec(trial=trial, params={"lr": 0.1, "hidden": 32}, seed=trial, data_seed=0)
        for trial in range(num_members)
    )
    run = RunSpec(members=members, epochs=epochs)
    return Job(kind=JobKind.TRAIN, task=TaskRef(path="digits"), run=run)


@contextmanager
def worker_at(
    service: FakeService, home: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    command = [*SEVENSTEP, "worker", "--server", service.url, "--slots", "1", *options]
    environment = {**os.environ, "SEVENSTEP_TOKEN": TOKEN, "SEVENSTEP_DATA_DIR": str(home)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService() as service:
        yield service


def test_describes_and_trains_digits(service: FakeService, tmp_path: Path) -> None:
    described = service.enqueue(Job(kind=JobKind.DESCRIBE, task=TaskRef(path="digits")))
    trained = service.enqueue(digits_job(epochs=2, num_members=2))
    with worker_at(service, tmp_path) as process:
        service.wait_for(lambda: trained.finish, timeout_seconds=60.0)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10.0)
    assert process.returncode == 0
    assert described.finish is not None
    assert described.finish.description is not None
    assert described.finish.description.num_classes == 10
    assert trained.finish is not None
    assert trained.finish.state is AttemptState.SUCCEEDED
    assert [(outcome.trial, outcome.state) for outcome in trained.outcomes] == [
        (0, "complete"),
        (1, "complete"),
    ]
    losses = [
        v
        for t, metric, split, _, v in trained.points
        if (t, metric, split) == (0, "loss", "train")
    ]
    assert losses[-1] < losses[0] / 2
    assert service.goodbyes == ["w1"]
    assert TOKEN.encode() not in log


@pytest.mark.slow
def test_a_killed_slot_process_fails_the_attempt_alone(
    service: FakeService, tmp_path: Path
) -> None:
    record = service.enqueue(digits_job(epochs=100_000))
    with worker_at(service, tmp_path) as process:
        service.wait_for(lambda: record.points, timeout_seconds=60.0)
        (slot,) = psutil.Process(process.pid).children()
        slot.kill()
        service.wait_for(lambda: record.finish)
        assert record.finish is not None
        assert record.finish.state is AttemptState.FAILED
        assert record.finish.error is not None
        assert record.finish.error.kind == "crashed"
        assert "SIGKILL" in record.finish.error.message
        following = service.enqueue(digits_job(epochs=1))
        service.wait_for(lambda: following.finish, timeout_seconds=60.0)
        assert following.finish is not None
        assert following.finish.state is AttemptState.SUCCEEDED


@pytest.mark.parametrize("how", ["terminate", pytest.param("close stdin", marks=pytest.mark.slow)])
def test_leaving_while_training_hands_the_attempt_back(
    service: FakeService, tmp_path: Path, how: str
) -> None:
    record = service.enqueue(digits_job(epochs=100_000))
    with worker_at(service, tmp_path, "--exit-with-stdin") as process:
        service.wait_for(lambda: record.points, timeout_seconds=60.0)
        began = time.monotonic()
        if how == "terminate":
            process.terminate()
        else:
            assert process.stdin is not None
            process.stdin.close()
        assert process.wait(10.0) == 0
        assert time.monotonic() - began < 4.0
    assert record.finish is not None
    assert record.finish.state is AttemptState.PREEMPTED


def test_a_killed_agent_leaves_no_training_behind(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(digits_job(epochs=100_000))
    with worker_at(service, tmp_path) as process:
        service.wait_for(lambda: record.points, timeout_seconds=60.0)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=2.0)
    assert len(children) == 1
    assert alive == []
