from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from recipes.run import Job, JobKind, MemberSpec, RunSpec, TaskRef
from recipes.wire import AttemptError, AttemptState, ResumePoint, Snapshot
from tests.worker_tests.fake_service import TOKEN, AttemptRecord, FakeService, Problem
from tests.worker_tests.stand_in_slot import COMMAND
from worker.agent.agent import Agent, AgentError
from worker.agent.client import ServiceClient
from worker.agent.devices import CPU, Device
from worker.agent.home import AgentFolder
from worker.settings import AgentSettings


def train_job(path: str = "any:fast", *, iterations: int = 5, num_members: int = 1) -> Job:
    members = tuple(
        MemberSpec(trial=trial, params={"lr": 0.1}, seed=0, data_seed=0)
        for trial in range(num_members)
    )
    run = RunSpec(members=members, iterations=iterations)
    return Job(kind=JobKind.TRAIN, task=TaskRef(path=path), run=run)


def iterations_of(record: AttemptRecord) -> list[int]:
    return [iteration for _, _, _, iteration, _ in record.points]


@contextmanager
def agent_at(
    service: FakeService,
    home: Path,
    *,
    num_slots: int = 1,
    token: str = TOKEN,
    stall_seconds: float = 60.0,
    device: Device = CPU,
) -> Iterator[Agent]:
    settings = AgentSettings(
        server=service.url,
        token=SecretStr(token),
        worker_home=home,
        worker_name="test",
        claim_seconds=5.0,
        batch_seconds=0.05,
        grace_seconds=1.0,
        stall_seconds=stall_seconds,
    )
    with closing(ServiceClient(service.url, token)) as client, AgentFolder(home) as folder:
        agent = Agent(settings, client, [device] * num_slots, folder, slot_command=COMMAND)
        failures: list[AgentError] = []

        def run() -> None:
            try:
                agent.run()
            except AgentError as error:
                failures.append(error)
                service.give_up(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield agent
        finally:
            agent.stop(within_seconds=3.0)
            thread.join(10.0)
        assert not thread.is_alive()
        assert failures == []


def run_agent(server: str, home: Path, *, token: str, command: Sequence[str]) -> None:
    settings = AgentSettings(worker_home=home, connect_seconds=0.1)
    with closing(ServiceClient(server, token)) as client, AgentFolder(home) as folder:
        Agent(settings, client, [CPU], folder, slot_command=command).run()


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService() as service:
        yield service


def failure_of(record: AttemptRecord) -> AttemptError:
    """The error of an attempt that finished as failed."""
    assert record.finish is not None
    assert record.finish.state is AttemptState.FAILED
    assert record.finish.error is not None
    return record.finish.error


def test_claims_runs_reports_and_finishes(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job(num_members=3, iterations=50))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    assert record.finish is not None
    assert record.finish.state is AttemptState.SUCCEEDED
    assert iterations_of(record) == [*range(50)] * 3
    assert [outcome.trial for outcome in record.outcomes] == [0, 1, 2]
    assert service.goodbyes == ["w1"]
    assert list((tmp_path / "agents").rglob("*.checkpoint")) == []


def test_one_process_serves_a_task_until_its_file_changes(
    service: FakeService, tmp_path: Path
) -> None:
    file = tmp_path / "task.py"
    file.write_text("1")
    with agent_at(service, tmp_path / "home"):
        values = []
        for change in (None, None, "22", None):
            if change is not None:
                file.write_text(change)
            record = service.enqueue(train_job(f"{file}:fast", iterations=1))
            service.wait_for(lambda record=record: record.finish)
            values.append(record.points[0][4])  # the process's number of jobs so far
    assert values == [1.0, 2.0, 1.0, 2.0]


def test_another_task_gets_another_process(service: FakeService, tmp_path: Path) -> None:
    with agent_at(service, tmp_path):
        for path in ("any:fast", "other:fast"):
            record = service.enqueue(train_job(path, iterations=1))
            service.wait_for(lambda record=record: record.finish)
            assert record.points[0][4] == 1.0


@pytest.mark.parametrize(
    ("what", "words"),
    [("exit", "exit code 3"), ("kill", "SIGKILL")],
)
def test_a_crash_fails_the_attempt_and_the_slot_goes_on(
    service: FakeService, tmp_path: Path, what: str, words: str
) -> None:
    crashed = service.enqueue(train_job(f"any:{what}"))
    good = service.enqueue(train_job())
    with agent_at(service, tmp_path):
        service.wait_for(lambda: good.finish)
    error = failure_of(crashed)
    assert error.kind == "crashed"
    assert words in error.message
    assert (what == "exit") == ("last words" in (error.traceback or ""))
    assert good.finish is not None
    assert good.finish.state is AttemptState.SUCCEEDED


def test_an_error_of_the_run_is_told(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:raise"))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    error = failure_of(record)
    assert error.kind == "error"
    assert error.message == "boom"


def test_points_survive_a_service_that_is_away(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:slow", iterations=300))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: len(record.points) > 20)
        service.go_away()
        known = len(record.points)
        time.sleep(3.0)
        assert len(record.points) == known
        service.come_back()
        service.wait_for(lambda: record.finish)
    assert iterations_of(record) == [*range(300)]
    assert record.finish is not None
    assert record.finish.state is AttemptState.SUCCEEDED


def test_passing_trouble_is_tried_again(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:slow", iterations=100))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.points)
        with service.changed:
            service.trouble = [
                ("points", Problem(503, "busy", retry_after="0.1")),
                ("points", Problem(429, "slow_down")),
                ("finish", Problem(502, "bad_gateway")),
                ("heartbeat", Problem(500, "broken")),
            ]
        service.wait_for(lambda: record.finish)
    assert iterations_of(record) == [*range(100)]


def test_a_fenced_attempt_writes_nothing_more(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:slow", iterations=10_000))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.points)
        service.fence(record)
        service.wait_for(lambda: record.num_refused)
        time.sleep(0.3)  # a call that was under way when the first was refused
        refused = record.num_refused
        next_record = service.enqueue(train_job())
        service.wait_for(lambda: next_record.finish)
        assert refused <= 2
        assert record.num_refused == refused
    assert record.finish is None


def test_a_refused_report_fails_the_attempt(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:slow", iterations=10_000))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.points)
        with service.changed:
            service.trouble = [("points", Problem(422, "invalid_input"))]
        service.wait_for(lambda: record.finish)
    error = failure_of(record)
    assert "invalid_input" in error.message


def test_last_reports_that_are_refused_fail_the_attempt(
    service: FakeService, tmp_path: Path
) -> None:
    service.trouble = [("finish", Problem(422, "invalid_input"))]
    record = service.enqueue(train_job())
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    error = failure_of(record)
    assert "invalid_input" in error.message
    assert record.finish is not None
    assert not record.finish.blocks


def test_an_end_that_is_refused_is_told_though_nothing_was_left_to_send(
    service: FakeService, tmp_path: Path
) -> None:
    service.trouble = [("finish", Problem(413, "too_large"))]
    record = service.enqueue(Job(kind=JobKind.DESCRIBE, task=TaskRef(path="any:fast")))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    assert "too_large" in failure_of(record).message


def test_a_report_that_is_never_taken_fails_the_attempt(tmp_path: Path) -> None:
    with FakeService(max_offline_seconds=1.0) as service:
        service.broken = {"points": Problem(500, "internal_error")}
        record = service.enqueue(train_job("any:slow", iterations=10_000))
        with agent_at(service, tmp_path):
            service.wait_for(lambda: record.finish)
        error = failure_of(record)
        assert "internal_error" in error.message
        assert record.points == []


def test_an_end_that_is_never_taken_does_not_hold_the_slot(tmp_path: Path) -> None:
    with FakeService(max_offline_seconds=1.0) as service:
        service.broken = {"a0/finish": Problem(500, "internal_error")}
        stuck = service.enqueue(train_job())
        record = service.enqueue(train_job())
        with agent_at(service, tmp_path):
            service.wait_for(lambda: record.finish)
        assert stuck.finish is None
        assert record.finish is not None
        assert record.finish.state is AttemptState.SUCCEEDED


def test_a_run_that_says_nothing_is_ended_and_the_slot_goes_on(
    service: FakeService, tmp_path: Path
) -> None:
    hung = service.enqueue(train_job("any:deaf"))
    good = service.enqueue(train_job())
    with agent_at(service, tmp_path, stall_seconds=0.5):
        service.wait_for(lambda: good.finish)
    error = failure_of(hung)
    assert error.kind == "crashed"
    assert "said nothing" in error.message
    assert "stand_in_slot.py" in (error.traceback or "")  # where it hung


@pytest.mark.parametrize("what", ["slow", "deaf"])
def test_a_stop_is_obeyed_or_enforced(service: FakeService, tmp_path: Path, what: str) -> None:
    record = service.enqueue(train_job(f"any:{what}", iterations=10_000))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.num_heartbeats >= 2)
        record.command = "stop"
        service.wait_for(lambda: record.finish, timeout_seconds=5.0)
    assert record.finish is not None
    assert record.finish.state is AttemptState.CANCELLED


def test_dropped_members_end_and_the_others_go_on(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:slow", iterations=100, num_members=2))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.points)
        record.drop = (0,)
        service.wait_for(lambda: record.finish)
    num_points = [sum(point[0] == trial for point in record.points) for trial in (0, 1)]
    assert num_points[0] < 100
    assert num_points[1] == 100


def test_members_dropped_before_the_job_began_stay_dropped(
    service: FakeService, tmp_path: Path
) -> None:
    record = service.enqueue(train_job("any:slow", iterations=30, num_members=2))
    record.drop = (0,)
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    num_points = [sum(point[0] == trial for point in record.points) for trial in (0, 1)]
    assert num_points[0] < 30
    assert num_points[1] == 30


def test_leaving_hands_the_attempt_back(service: FakeService, tmp_path: Path) -> None:
    record = service.enqueue(train_job("any:slow", iterations=10_000))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.points)
    assert record.finish is not None
    assert record.finish.state is AttemptState.PREEMPTED
    assert service.goodbyes == ["w1"]


def test_leaving_does_not_wait_for_a_service_that_is_away(
    service: FakeService, tmp_path: Path
) -> None:
    record = service.enqueue(train_job("any:slow", iterations=10_000))
    with agent_at(service, tmp_path) as agent:
        service.wait_for(lambda: record.points)
        service.go_away()
        began = time.monotonic()
        agent.stop(within_seconds=0.5)
    assert time.monotonic() - began < 4.0
    assert record.finish is None


def test_checkpoints_come_back(service: FakeService, tmp_path: Path) -> None:
    service.artifacts["x"] = b"state"
    point = ResumePoint(trial=0, epoch=1, iteration=1, artifact="x")
    record = service.enqueue(train_job("any:resume"), resume=(point,))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    assert record.checkpoints == [(0, 2, 2, b"state+")]


def test_a_waiting_member_s_artifacts_arrive_before_its_outcome(
    service: FakeService, tmp_path: Path
) -> None:
    record = service.enqueue(train_job("any:pause", num_members=2))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    for trial in (0, 1):
        own = [each for each in record.arrivals if each.endswith(str(trial))]
        assert own == [f"checkpoint {trial}", f"snapshot {trial}", f"outcome {trial}"]
    assert record.checkpoints == [(0, 3, 30, b"state"), (1, 3, 30, b"state")]
    assert record.snapshots == [(0, 2, 20, b"best"), (1, 2, 20, b"best")]


def test_an_outcome_is_not_sent_when_its_checkpoint_was_not_taken(
    service: FakeService, tmp_path: Path
) -> None:
    service.broken = {"artifacts": Problem(413, "too_large")}
    record = service.enqueue(train_job("any:pause"))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    assert record.outcomes == []
    error = failure_of(record)
    assert "too_large" in error.message


def test_a_checkpoint_that_is_gone_fails_the_attempt_and_names_the_trial(
    service: FakeService, tmp_path: Path
) -> None:
    service.artifacts["here"] = b"state"
    points = tuple(
        ResumePoint(trial=trial, epoch=1, iteration=1, artifact=artifact)
        for trial, artifact in enumerate(("gone", "here", "gone too"))
    )
    record = service.enqueue(train_job("any:resume", num_members=3), resume=points)
    good = service.enqueue(train_job())
    with agent_at(service, tmp_path):
        service.wait_for(lambda: good.finish)
    error = failure_of(record)
    assert error.kind == "checkpoint_gone"
    assert error.message.endswith("of trial 0, 2")
    assert (record.points, record.outcomes) == ([], [])
    assert good.finish is not None
    assert good.finish.state is AttemptState.SUCCEEDED


def test_snapshots_are_fetched_once_and_one_that_is_gone_is_left_out(
    service: FakeService, tmp_path: Path
) -> None:
    service.artifacts = {"x": b"ten", "y": b"eleven"}
    used = tuple(
        Snapshot(trial=trial, artifact=artifact)
        for trial, artifact in ((10, "x"), (11, "y"), (12, "gone"))
    )
    records = []
    with agent_at(service, tmp_path):
        for path in ("any:use", "other:use"):  # two processes, one slot
            records.append(service.enqueue(train_job(path), used=used))
            service.wait_for(lambda: records[-1].finish)
    for record in records:
        assert record.snapshots == [(10, 1, 1, b"ten+"), (11, 1, 1, b"eleven+")]
        assert record.finish is not None
        assert record.finish.state is AttemptState.SUCCEEDED
    assert service.num_fetched == {"x": 1, "y": 1}


def test_a_process_of_another_version_fails_the_attempt_with_the_reason(
    service: FakeService, tmp_path: Path
) -> None:
    record = service.enqueue(train_job("any:stranger"))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.finish)
    assert record.finish is not None
    assert record.finish.error is not None
    assert record.finish.error.kind == "error"  # no other attempt would fare better
    assert "Start the worker again" in record.finish.error.message
    assert "of a later version" in (record.finish.error.traceback or "")


def test_an_offline_run_is_given_up(tmp_path: Path) -> None:
    with FakeService(max_offline_seconds=0.5) as service:
        record = service.enqueue(train_job("any:slow", iterations=10_000))
        with agent_at(service, tmp_path):
            service.wait_for(lambda: record.points)
            service.go_away()
            time.sleep(2.0)
            service.come_back()
            next_record = service.enqueue(train_job())
            service.wait_for(lambda: next_record.finish)
        assert record.finish is None


def test_a_forgotten_worker_registers_again(service: FakeService, tmp_path: Path) -> None:
    with agent_at(service, tmp_path):
        service.wait_for(lambda: service.workers)
        with service.changed:
            service.workers.clear()
            service.changed.notify_all()
        service.wait_for(lambda: service.workers)
        record = service.enqueue(train_job())
        service.wait_for(lambda: record.finish)
    assert record.worker == "w2"


def test_slots_work_side_by_side(service: FakeService, tmp_path: Path) -> None:
    records = [service.enqueue(train_job("any:slow", iterations=50)) for _ in range(2)]
    with agent_at(service, tmp_path, num_slots=2):
        for record in records:
            service.wait_for(lambda record=record: record.finish)
    assert {record.slot for record in records} == {0, 1}


def test_idle_slots_load_the_task_that_another_one_describes(
    service: FakeService, tmp_path: Path
) -> None:
    task = TaskRef(path="any:slow")
    with agent_at(service, tmp_path, num_slots=2):
        described = service.enqueue(Job(kind=JobKind.DESCRIBE, task=task))
        service.wait_for(lambda: described.finish)
        records = [service.enqueue(train_job("any:slow", iterations=50)) for _ in range(2)]
        for record in records:
            service.wait_for(lambda record=record: record.finish)
    firsts = {record.slot == described.slot: record.points[0][4] for record in records}
    assert firsts == {True: 1.0, False: 11.0}  # see the stand-in's load


def test_a_process_that_describes_a_task_has_not_loaded_it_ahead(
    service: FakeService, tmp_path: Path
) -> None:
    """A task that cannot be loaded is its describe's result, not the end of its process."""
    other = "other:fast"
    jobs = [
        train_job("any:fast"),
        Job(kind=JobKind.DESCRIBE, task=TaskRef(path=other)),
        train_job(other, iterations=1),
    ]
    with agent_at(service, tmp_path):
        for job in jobs:
            record = service.enqueue(job)
            service.wait_for(lambda record=record: record.finish)
    assert record.points[0][4] == 1.0  # see the stand-in's load


def test_the_next_agent_says_goodbye_for_a_dead_one(service: FakeService, tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:  # an agent that dies without a word
        folder = AgentFolder(tmp_path)
        folder.record(service.url, "w-dead")
        os._exit(0)
    os.waitpid(pid, 0)
    with agent_at(service, tmp_path):
        service.wait_for(lambda: "w-dead" in service.goodbyes)
    assert list((tmp_path / "agents").glob("*/*")) == []


def test_a_living_agent_of_the_same_home_is_left_alone(
    service: FakeService, tmp_path: Path
) -> None:
    with agent_at(service, tmp_path):
        service.wait_for(lambda: service.workers)
        with agent_at(service, tmp_path):
            service.wait_for(lambda: len(service.workers) == 2)
            assert service.goodbyes == []


def test_no_process_is_left(service: FakeService, tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    record = service.enqueue(train_job("any:orphan"))
    with agent_at(service, tmp_path):
        service.wait_for(lambda: record.num_heartbeats >= 2)
        grandchildren = [
            child for child in psutil.Process().children(recursive=True) if child.pid not in before
        ]
        assert len(grandchildren) >= 1
        record.command = "stop"
        service.wait_for(lambda: record.finish)
    _, alive = psutil.wait_procs(grandchildren, timeout=3.0)
    assert alive == []


@pytest.mark.parametrize(
    ("token", "words"), [("wrong", "did not accept the token"), (TOKEN, "no such thing")]
)
def test_an_agent_that_cannot_work_says_why(
    service: FakeService, tmp_path: Path, token: str, words: str
) -> None:
    command = ("sh", "-c", "echo no such thing >&2; exit 1")
    with pytest.raises(AgentError, match=words):
        run_agent(service.url, tmp_path, token=token, command=command)


def test_a_gpu_that_torch_cannot_use_is_told_with_the_cure(
    service: FakeService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gpu = Device("cuda:0 NVIDIA H200", "0")  # and the stand-in uses none
    record = service.enqueue(train_job(num_members=1, iterations=5))
    with agent_at(service, tmp_path, device=gpu):
        service.wait_for(lambda: record.finish)
    assert "trains on the CPU" in caplog.text
    assert "cannot use cuda:0 NVIDIA H200" in caplog.text
    assert "CUDA_VISIBLE_DEVICES=" in caplog.text


def test_an_absent_service_is_told(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="is `sevenstep serve` running there"):
        run_agent("http://127.0.0.1:9", tmp_path, token=TOKEN, command=COMMAND)


def test_what_is_no_service_is_told(tmp_path: Path) -> None:
    with FakeService() as service:
        service.trouble = [("register", Problem(404, "no_route"))]
        with pytest.raises(AgentError, match="took no worker"):
            run_agent(service.url, tmp_path, token=TOKEN, command=COMMAND)
