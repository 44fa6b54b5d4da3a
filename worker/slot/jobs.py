"""Jobs carried out with torch: describe a task, train a run spec's members."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Literal

import torch

from recipes.run import JobKind, TaskRef
from recipes.task import Task
from recipes.trial import TrialCause
from recipes.wire import AttemptError
from worker.data.data import TaskData, load_data
from worker.describe.describe import describe
from worker.describe.errors import MAX_TRACEBACK, TaskError, shortened, task_error
from worker.describe.loader import load_task, task_digest, task_file
from worker.fused.admission import Admission
from worker.fused.train import train_together
from worker.slot.channel import Channel, ChannelReporter, die
from worker.slot.freed_memory import keep_freed_memory
from worker.slot.memory_guard import guard_memory
from worker.slot.messages import SLOTS_ON_DEVICE, JobDone, LoadTask, StartJob, TaskLoaded
from worker.slot.signature import task_files
from worker.training.checkpoint import Checkpoint
from worker.training.failures import cause_of, has_lost_device


class JobRunner:
    """Carries out the jobs of one task; its data is loaded once and stays.

    One thread: numbers are then bit-equal on one processor, whatever else runs there.
    """

    def __init__(self) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()
        self._device = slot_device()
        if self._device.type == "cuda":
            guard_memory(int(os.environ.get(SLOTS_ON_DEVICE, "1")))
        self.device = str(self._device)
        self._modules_seen = set(sys.modules)
        self._files: set[str] = set()
        self._task: Task | None = None
        self._data: TaskData | None = None
        self._admission = Admission()

    def warm_up(self) -> None:
        """Load what torch's optimizers load at their first iteration anyway.

        It takes them more than a second (torch 2.13: ``torch._dynamo``, 800 modules).
        """
        importlib.import_module("torch._dynamo")

    def load(self, load: LoadTask, channel: Channel) -> None:
        """Load a task before its first job.

        Where that fails this process ends: its job shall meet the failure in a fresh one, which
        has no half of the task in memory.
        """
        try:
            self._load(load.task)
        except BaseException:
            traceback.print_exc()
            die()
        self._tell_files(channel)

    def run(self, job: StartJob, channel: Channel) -> JobDone:
        """Carry out one job. Whatever user code raises becomes the job's result."""
        try:
            task, data = self._load(job.job.task)
            self._tell_files(channel)
            if job.job.kind is JobKind.DESCRIBE:
                description = describe(
                    task, data, device=self._device, measures_fusing=job.measures_fusing
                )
                return JobDone(result="succeeded", description=description)
            _check_digest(task, job.job.digest)
            done = self._train(task, data, job, channel)
            self._tell_files(channel)
            return done
        except TaskError as error:
            self._tell_files(channel)
            problem = error.problem
            failure = AttemptError(
                kind="task",
                message=problem.message,
                traceback=problem.traceback,
                problem=problem,
            )
        except BaseException as error:
            # SystemExit too: user code that calls sys.exit must not look like a crash of ours.
            failure = AttemptError(
                kind=_kind_of(error),
                message=shortened(f"{type(error).__name__}: {error}"),
                traceback=traceback.format_exc()[-MAX_TRACEBACK:],
            )
        return JobDone(result="failed", error=failure)

    def _load(self, ref: TaskRef) -> tuple[Task, TaskData]:
        if self._task is None or self._data is None:
            self._task = load_task(ref)
            self._data = load_data(self._task, self._device)
        return self._task, self._data

    def _train(self, task: Task, data: TaskData, job: StartJob, channel: Channel) -> JobDone:
        run = job.job.run
        assert run is not None, "a train job has a run spec"
        reporter = ChannelReporter(channel, job.directory)
        resume = {
            point.trial: Checkpoint(point.epoch, point.iteration, Path(point.path).read_bytes())
            for point in job.resume
        }
        snapshots = {file.trial: Path(file.path).read_bytes() for file in job.snapshots}
        train_together(
            task,
            data,
            run,
            reporter,
            admission=self._admission,
            resume=resume,
            snapshots=snapshots,
            checkpoint_seconds=job.checkpoint_seconds,
        )
        missing = [member.trial for member in run.members if member.trial not in reporter.told]
        if not missing:
            return JobDone(result="succeeded")
        if channel.stopping():
            return JobDone(result="stopped")
        raise AssertionError(f"training ended without an outcome for trials {missing}")

    def _tell_files(self, channel: Channel) -> None:
        """Send the files imported since the last time. The first sight of each counts."""
        modules = {
            name: module
            for name, module in list(sys.modules.items())
            if name not in self._modules_seen
        }
        self._modules_seen |= modules.keys()
        found = task_files(modules.values())
        new = {path: seen for path, seen in found.items() if path not in self._files}
        if new:
            self._files |= new.keys()
            channel.send(TaskLoaded(files=new))


def _kind_of(error: BaseException) -> Literal["error", "out_of_memory", "crashed"]:
    """Without its GPU this process is worth no more than a dead one, and is replaced like one."""
    if has_lost_device(error):
        return "crashed"
    return "out_of_memory" if cause_of(error) is TrialCause.OUT_OF_MEMORY else "error"


def slot_device() -> torch.device:
    """What this process trains on: the one GPU that it can see, else the CPU.

    A GPU by its number: torch does not tell this process's share of a GPU's memory without it.
    """
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def _check_digest(task: Task, digest: str | None) -> None:
    """Raise TaskError when the code is not the one that the study described."""
    if digest is not None and task_digest(task) != digest:
        raise task_error(
            "the task's code is not the code this study described: it was edited since, or"
            " this worker has another version of it",
            cure="start a new study; keep the old code until a study has ended",
            file=task_file(task),
        )
