from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from recipes.run import TaskRef
from tests.worker_tests.stand_in_slot import COMMAND
from tests.worker_tests.test_agent import train_job
from worker.agent.devices import CPU, Device, parse_listing
from worker.agent.slot import (
    SLOT_COMMAND,
    TAIL_BYTES,
    Exited,
    SlotProcess,
    slot_environment,
)
from worker.slot.messages import (
    SLOTS_ON_DEVICE,
    DropTrials,
    JobDone,
    OutcomeReported,
    PointsReported,
    Ready,
    SlotMessage,
    StartJob,
    StopJob,
)


@contextmanager
def slot(*command: str) -> Iterator[SlotProcess]:
    with closing(SlotProcess(CPU, command=command or COMMAND)) as process:
        yield process


def receive(process: SlotProcess) -> SlotMessage | Exited:
    message = process.receive(20.0)
    assert message is not None
    return message


def start(
    process: SlotProcess, directory: Path, path: str = "any:fast", *, iterations: int = 5
) -> None:
    process.send(
        StartJob(
            attempt="a",
            job=train_job(path, iterations=iterations),
            checkpoint_seconds=0.0,
            directory=str(directory),
        )
    )


def test_messages_come_in_order_whatever_user_code_prints(tmp_path: Path) -> None:
    with slot() as process:
        start(process, tmp_path)
        kinds = [type(receive(process)) for _ in range(8)]
        assert kinds == [Ready, *[PointsReported] * 5, OutcomeReported, JobDone]


def test_a_stop_counts_for_the_running_job_only(tmp_path: Path) -> None:
    with slot() as process:
        assert isinstance(receive(process), Ready)
        process.send(StopJob(attempt="a"))
        start(process, tmp_path)
        while not isinstance(message := receive(process), JobDone):
            pass
        assert message.result == "succeeded"


def test_late_words_about_another_attempt_change_nothing(tmp_path: Path) -> None:
    with slot() as process:
        start(process, tmp_path, "any:slow", iterations=30)
        while not isinstance(receive(process), PointsReported):
            pass
        process.send(StopJob(attempt="before"))
        process.send(DropTrials(attempt="before", trials=(0,)))
        num_points = 1
        while not isinstance(message := receive(process), JobDone):
            num_points += isinstance(message, PointsReported)
        assert message.result == "succeeded"
        assert num_points == 30


def test_the_end_is_the_last_message_and_commands_to_the_dead_are_harmless() -> None:
    with slot() as process:
        process.kill()
        while not isinstance(message := receive(process), Exited):
            pass
        assert message.returncode == -9
        assert not process.alive
        process.send(StopJob(attempt="a"))
        process.kill()
        assert process.receive(0.0) is None


def test_the_tail_is_bounded_and_is_the_end() -> None:
    script = "import sys; sys.stderr.write('x' * 300_000 + 'the end'); sys.exit(7)"
    with slot(sys.executable, "-c", script) as process:
        end = receive(process)
    assert isinstance(end, Exited)
    assert end.sentence == "exit code 7"
    assert len(end.tail) == TAIL_BYTES
    assert end.tail.endswith("the end")


def test_an_end_is_told_though_somebody_else_holds_the_last_words_pipe() -> None:
    script = "setsid sleep 60 > /dev/null & sleep 0.3; echo $! >&2; exit 3"
    with slot("sh", "-c", script) as process:
        end = receive(process)
    assert isinstance(end, Exited)
    os.kill(int(end.tail), signal.SIGKILL)  # whose group was its own
    assert end.returncode == 3


def test_a_child_that_speaks_nonsense_is_ended() -> None:
    with slot("sh", "-c", "echo nonsense; sleep 60") as process:
        end = receive(process)
    assert isinstance(end, Exited)
    assert end.returncode == -9
    assert end.error().kind == "error"
    assert "understand each other" in end.error().message
    assert "nonsense" in (end.error().traceback or "")


def test_a_child_that_cannot_read_a_command_says_so() -> None:
    with slot() as process:
        assert isinstance(receive(process), Ready)
        stdin = process._process.stdin
        assert stdin is not None
        stdin.write(b'{"type": "job", "of": "a later version"}\n')
        stdin.flush()
        end = receive(process)
    assert isinstance(end, Exited)
    assert end.error().kind == "error"
    assert "understand each other" in end.error().message
    assert "a command that cannot be read" in (end.error().traceback or "")


def test_a_process_serves_the_task_it_had_first(tmp_path: Path) -> None:
    with slot() as process:
        assert process.serves(TaskRef(path="any:fast"))
        start(process, tmp_path)
        assert process.serves(TaskRef(path="any:fast"))
        assert not process.serves(TaskRef(path="any:fast", args={"size": 2}))
        assert not process.serves(TaskRef(path="other:fast"))


def test_a_process_that_was_told_of_a_task_has_loaded_it_before_its_job(tmp_path: Path) -> None:
    with slot() as process:
        process.prepare(TaskRef(path="any:fast"))
        process.prepare(TaskRef(path="other:fast"))  # it has one
        assert process.serves(TaskRef(path="any:fast"))
        assert not process.serves(TaskRef(path="other:fast"))
        start(process, tmp_path, iterations=1)
        assert isinstance(receive(process), Ready)
        points = receive(process)
        assert isinstance(points, PointsReported)
        assert points.block.values == (11.0,)


def test_a_task_that_cannot_be_loaded_beforehand_ends_the_process() -> None:
    with slot(*SLOT_COMMAND) as process:
        process.prepare(TaskRef(path="no.such.module:Task"))
        assert isinstance(receive(process), Ready)
        end = receive(process)
        assert isinstance(end, Exited)
        assert "there is no module 'no'" in end.tail


LOSES_ITS_GPU = """
import torch
from torch import nn
from recipes import Task


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, inputs):
        kind = getattr(torch, "AcceleratorError", RuntimeError)
        raise kind("CUDA error: device-side assert triggered")


class Lost(Task):
    num_classes = 2

    def data(self, split):
        return (torch.randn(40, 4), torch.arange(40) % 2) if split == "train" else None

    def model(self, params):
        return Broken()
"""


def test_a_process_that_lost_its_gpu_ends_its_job_as_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "lost.py"
    file.write_text(LOSES_ITS_GPU)
    with slot(*SLOT_COMMAND) as process:
        start(process, tmp_path, f"{file}:Lost")
        while not isinstance(message := receive(process), (JobDone, Exited)):
            pass
        assert isinstance(message, JobDone)
        assert message.error is not None
        assert message.error.kind == "crashed"
        assert "device-side assert triggered" in message.error.message


def test_user_code_sees_its_device_one_thread_and_no_secret() -> None:
    seen = slot_environment(
        {
            "SEVENSTEP_TOKEN": "secret",
            "SEVENSTEP_DATABASE_URL": "postgresql://user:secret@host/name",
            "CUDA_VISIBLE_DEVICES": "0,1",
            "A": "b",
        },
        Device("cuda:1", "1", num_slots=3),
    )
    assert not [name for name, value in seen.items() if "secret" in value]
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["OMP_NUM_THREADS"], seen["A"]) == ("1", "1", "b")
    assert seen[SLOTS_ON_DEVICE] == "3"
    assert "CUDA_DEVICE_ORDER" not in seen


def test_a_device_by_its_place_on_the_bus_is_found_there() -> None:
    """CUDA puts the fastest first, and nvidia-smi goes by the bus."""
    seen = slot_environment({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, parse_listing("1, slow")[0])
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")


@pytest.mark.parametrize(
    ("returncode", "words"),
    [(0, "exit code 0"), (-11, "killed by SIGSEGV"), (-9, "memory ran out"), (-250, "signal 250")],
)
def test_an_end_is_told_in_words(returncode: int, words: str) -> None:
    assert words in Exited(returncode, "").sentence
