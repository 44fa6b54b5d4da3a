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
from recipes.wire import AttemptState, ResumePoint, Snapshot
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


def test_a_trial_goes_on_exactly_and_its_snapshots_are_averaged(
    service: FakeService, tmp_path: Path
) -> None:
    members = tuple(
        MemberSpec(trial=trial, params={"lr": 0.1, "hidden": hidden}, seed=trial, data_seed=0)
        for trial, hidden in enumerate((16, 32))
    )
    run = RunSpec(members=members, epochs=3, keep_snapshot=True, evaluate_at_best=("test",))

    def job(run: RunSpec) -> Job:
        return Job(kind=JobKind.TRAIN, task=TaskRef(path="digits"), run=run)

    whole = service.enqueue(job(run))
    paused = service.enqueue(job(run.model_copy(update={"until_epoch": 1})))
    with worker_at(service, tmp_path):
        service.wait_for(lambda: paused.finish, timeout_seconds=60.0)
        assert [outcome.state for outcome in paused.outcomes] == ["waiting", "waiting"]
        artifacts = {content: name for name, content in service.artifacts.items()}
        resumed = service.enqueue(
            job(run),
            resume=tuple(
                ResumePoint(trial=trial, epoch=epoch, iteration=at, artifact=artifacts[content])
                for trial, epoch, at, content in paused.checkpoints
            ),
        )
        mean = MemberSpec(trial=2, params={}, seed=0, data_seed=0, snapshots=(0, 1))
        average = service.enqueue(
            job(RunSpec(members=(mean,), iterations=0, evaluate_at_best=("test",))),
            used=tuple(
                Snapshot(trial=trial, artifact=artifacts[content])
                for trial, _, _, content in whole.snapshots
            ),
        )
        service.wait_for(lambda: average.finish, timeout_seconds=60.0)
    assert [record.finish and record.finish.state for record in service.attempts.values()] == [
        AttemptState.SUCCEEDED
    ] * 4
    assert resumed.snapshots == whole.snapshots
    assert [outcome.model_copy(update={"seconds": 0.0}) for outcome in resumed.outcomes] == [
        outcome.model_copy(update={"seconds": 0.0}) for outcome in whole.outcomes
    ]
    assert sorted(paused.points + resumed.points) == sorted(whole.points)
    (test,) = average.outcomes[0].at_best
    worst = min(outcome.at_best[0].metrics["accuracy"].mean for outcome in whole.outcomes)
    assert test.metrics["accuracy"].mean > worst


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
