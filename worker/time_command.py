"""``describe --time``: what an epoch of a task costs here, from a few seconds of training."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

from recipes.description import TaskDescription, TaskProblem
from recipes.outcome import MemberOutcome
from recipes.run import Job, JobKind, MemberSpec, RunSpec, TaskRef
from recipes.setting_text import parse_settings
from recipes.space import ParameterValue
from recipes.study import StudyConfig
from recipes.study_space import study_space
from recipes.timing import Timing
from worker.agent.devices import assign_slots, cuda_devices, num_cores
from worker.agent.slot import SlotProcess
from worker.describe_command import carry_out, describe_in

WARM_UP_ITERATIONS = 20
"""The first iterations load libraries and caches; they are not counted."""
RATE_ITERATIONS = 50
SHORT_EPOCH_SECONDS = 1.5
"""Epochs shorter than this are timed whole, three of them; longer ones are scaled up."""
WHOLE_EPOCHS = 3
SPLITS = ("train", "val")
"""What the searches evaluate after every epoch."""


def time_task(
    path: str, arguments: Mapping[str, ParameterValue], settings: Sequence[str]
) -> tuple[TaskDescription, Timing] | TaskProblem:
    """Describe a task, then train it for a few seconds on the device a slot would have.

    Args:
        path: ``digits``, ``path/to/file.py:Class`` or ``package.module:Class``.
        arguments: For the task's constructor.
        settings: ``name=value`` and ``name=low..high``, as for a study; what is left open
            stands at the middle of its range.

    Returns:
        Description and timing, or why the task cannot be used.

    Raises:
        InvalidSetting: A setting that the task or the trainer cannot take.
    """
    task = TaskRef(path=path, args=dict(arguments))
    slots = assign_slots(None, cuda_devices(os.environ), num_cores())
    process = SlotProcess(slots[0])
    try:
        description = describe_in(process, task)
        if isinstance(description, TaskProblem):
            return description
        fixed, ranges = parse_settings(settings, description)
        config = StudyConfig.model_validate(
            {"name": "timing", "task": path, "set": fixed, "space": ranges}
        )
        params = {**study_space(description, config).center(), **fixed}
        bench = _Bench(process, task, params)
        found = bench.seconds_per_epoch(description)
    finally:
        process.close()
    if isinstance(found, TaskProblem):
        return found
    seconds, epochs = found
    return description, Timing(
        seconds_per_epoch=seconds,
        measured_epochs=epochs,
        device=slots[0].name,
        slots=len(slots),
    )


class _Bench:
    """Trains one setting again and again in one slot process, and looks at the clock."""

    def __init__(
        self, process: SlotProcess, task: TaskRef, params: Mapping[str, ParameterValue]
    ) -> None:
        self._process = process
        self._task = task
        self._params = dict(params)

    def seconds_per_epoch(self, description: TaskDescription) -> tuple[float, float] | TaskProblem:
        """Seconds an epoch, and how many epochs were trained to know; or what failed."""
        batch_size = int(self._params.get("batch_size", description.default_batch_size))
        per_epoch = math.ceil(description.split("train").num_samples / batch_size)
        warm_up = self._train(iterations=WARM_UP_ITERATIONS)
        rate = self._train(iterations=RATE_ITERATIONS)
        for each in (warm_up, rate):
            if isinstance(each, TaskProblem):
                return each
        assert isinstance(rate, MemberOutcome)
        epoch = rate.seconds / RATE_ITERATIONS * per_epoch
        if epoch <= SHORT_EPOCH_SECONDS:
            whole = self._train(epochs=WHOLE_EPOCHS, evaluate=SPLITS)
            if isinstance(whole, TaskProblem):
                return whole
            return whole.seconds / WHOLE_EPOCHS, float(WHOLE_EPOCHS)
        evaluated = self._train(iterations=0, evaluate=SPLITS)
        if isinstance(evaluated, TaskProblem):
            return evaluated
        return epoch + evaluated.seconds, RATE_ITERATIONS / per_epoch

    def _train(
        self,
        *,
        iterations: int | None = None,
        epochs: int | None = None,
        evaluate: tuple[str, ...] = (),
    ) -> MemberOutcome | TaskProblem:
        run = RunSpec(
            members=(MemberSpec(trial=0, params=self._params, seed=0, data_seed=0),),
            iterations=iterations,
            epochs=epochs,
            evaluate=evaluate,
            stop_if_non_finite=False,  # a run that blows up takes as long as another
        )
        outcomes: list[MemberOutcome] = []
        job = Job(kind=JobKind.TRAIN, task=self._task, run=run)
        done = carry_out(self._process, job, outcomes)
        if isinstance(done, TaskProblem):
            return done
        (outcome,) = outcomes
        if outcome.message is not None:
            return TaskProblem(
                message=outcome.message,
                cure="it happened in the first iterations of training; `sevenstep check` finds"
                " out more",
            )
        return outcome
