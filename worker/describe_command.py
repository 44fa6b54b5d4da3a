"""``describe`` from the command line: jobs in a slot process of its own, without a service."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping

from recipes.description import TaskDescription, TaskProblem
from recipes.outcome import MemberOutcome
from recipes.run import Job, JobKind, TaskRef
from recipes.space import ParameterValue
from recipes.wire import AttemptError
from worker.agent.devices import CPU
from worker.agent.slot import Exited, SlotProcess
from worker.slot.messages import JobDone, OutcomeReported, StartJob

NEVER_SECONDS = 1e9
"""Between checkpoints: nothing here is worth one."""


def describe_task(
    path: str, arguments: Mapping[str, ParameterValue]
) -> TaskDescription | TaskProblem:
    """Load and measure a task on the CPU, as a worker would.

    In a process of its own: what the task prints, or even ``os._exit`` at its import,
    does the caller no harm. Whether its trials should train together is left open: that
    needs training, and the worker of a study measures it where they will train.

    Args:
        path: ``digits``, ``path/to/file.py:Class`` or ``package.module:Class``.
        arguments: For the task's constructor.

    Returns:
        The description, or why the task cannot be used.
    """
    process = SlotProcess(CPU)
    try:
        task = TaskRef(path=path, args=dict(arguments))
        return describe_in(process, task, measures_fusing=False)
    finally:
        process.close()


def describe_in(
    process: SlotProcess, task: TaskRef, *, measures_fusing: bool = True
) -> TaskDescription | TaskProblem:
    """The same in a slot process that is there, which keeps the task and its data loaded."""
    job = Job(kind=JobKind.DESCRIBE, task=task)
    done = carry_out(process, job, [], measures_fusing=measures_fusing)
    if isinstance(done, TaskProblem):
        return done
    assert done.description is not None, "a describe job that succeeds has one"
    return done.description


def carry_out(
    process: SlotProcess,
    job: Job,
    outcomes: list[MemberOutcome],
    *,
    measures_fusing: bool = False,
) -> JobDone | TaskProblem:
    """Carry out one job in a slot process, outside any service.

    Args:
        process: A slot process without a job.
        job: What to do.
        outcomes: Members' outcomes are added to it.
        measures_fusing: Whether describing measures how trials train together too.

    Returns:
        The job's end, or why it could not be carried out.
    """
    with tempfile.TemporaryDirectory() as directory:
        process.send(
            StartJob(
                attempt="",
                job=job,
                checkpoint_seconds=NEVER_SECONDS,
                directory=directory,
                measures_fusing=measures_fusing,
            )
        )
        while True:
            match process.receive():
                case OutcomeReported(outcome=outcome):
                    outcomes.append(outcome)
                case JobDone(error=error) if error is not None:
                    return problem_of(error)
                case JobDone() as done:
                    return done
                case Exited() as end:
                    return problem_of(end.error())


def problem_of(error: AttemptError) -> TaskProblem:
    """What went wrong, as a problem of the task."""
    return error.problem or TaskProblem(
        message=error.message,
        cure="the traceback shows the place"
        if error.traceback
        else "look at what the task's code does there: nothing was raised, so the process was "
        "ended from within (os._exit, a crash in a library) or killed (too little memory)",
        traceback=error.traceback,
    )
