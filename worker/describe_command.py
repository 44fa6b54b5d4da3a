"""``describe`` from the command line: one describe job in a slot process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping

from recipes.description import TaskDescription, TaskProblem
from recipes.run import Job, JobKind, TaskRef
from recipes.space import ParameterValue
from recipes.wire import AttemptError
from worker.agent.devices import CPU
from worker.agent.slot import Exited, SlotProcess
from worker.slot.messages import JobDone, StartJob


def describe_task(
    path: str, arguments: Mapping[str, ParameterValue]
) -> TaskDescription | TaskProblem:
    """Load and measure a task on the CPU, as a worker would.

    In a process of its own: what the task prints, or even ``os._exit`` at its import,
    does the caller no harm.

    Args:
        path: ``digits``, ``path/to/file.py:Class`` or ``package.module:Class``.
        arguments: For the task's constructor.

    Returns:
        The description, or why the task cannot be used.
    """
    job = Job(kind=JobKind.DESCRIBE, task=TaskRef(path=path, args=dict(arguments)))
    process = SlotProcess(CPU)
    try:
        with tempfile.TemporaryDirectory() as directory:
            process.send(
                StartJob(attempt="", job=job, checkpoint_seconds=0.0, directory=directory)
            )
            while True:
                match process.receive():
                    case JobDone(description=description) if description is not None:
                        return description
                    case JobDone(error=error) if error is not None:
                        return problem_of(error)
                    case Exited() as end:
                        return problem_of(end.error())
    finally:
        process.close()


def problem_of(error: AttemptError) -> TaskProblem:
    """What went wrong, as a problem of the task."""
    return error.problem or TaskProblem(
        message=error.message,
        cure="the traceback, or what the process wrote last, shows the place",
        traceback=error.traceback,
    )
