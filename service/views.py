"""What the service answers: the models of its REST responses and its pages' data.

Fields have no defaults that hide a missing value: a reader finds every one in every answer.
"""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field

from recipes.description import TaskDescription, TaskProblem
from recipes.finding import Finding
from recipes.space import ParameterValue, SearchSpace
from recipes.step import StepKind, StepReport, StepState
from recipes.study import StudyState
from recipes.trial import TrialCause, TrialPurpose, TrialState
from recipes.value import Number, Value
from recipes.wire import AttemptState, WorkerState

StepView = StepReport
"""A step as it is answered: the report, or as much of it as there is while the step runs."""


class StepSummary(Value):
    """One run of a step, in a line."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    number: int
    kind: StepKind
    round: int
    pass_number: int = Field(alias="pass")
    state: StepState
    verdict: StepState | None
    sentence: str
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class CurrentStep(Value):
    """What a study does now. ``progress`` is the share of the step's trials that ended."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    step: int
    kind: StepKind
    round: int
    pass_number: int = Field(alias="pass")
    progress: float  # 0 to 1
    done: int  # trials that ended
    total: int  # trials planned so far
    sentence: str


class StudySummary(Value):
    """A study in a list."""

    id: str
    name: str
    state: StudyState
    reason: str | None
    task: str
    seed: int
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    num_trials: int
    sentence: str  # the last verdict's, or what it waits for


class StudyView(Value):
    """A study."""

    id: str
    name: str
    state: StudyState
    reason: str | None
    task: str
    task_args: dict[str, ParameterValue]
    set: dict[str, ParameterValue]
    space: SearchSpace | None  # None until the task is described
    seed: int
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    current: CurrentStep | None
    steps: tuple[StepSummary, ...]
    planned_steps: tuple[int, ...]  # the step numbers it carries out, in order
    num_trials: int
    problem: TaskProblem | None  # why the task cannot be used
    best: None = None  # from the search steps on


class StudyPage(Value):
    """Studies, newest first. ``next_cursor`` asks for the next page; None: there is none."""

    items: tuple[StudySummary, ...]
    next_cursor: str | None


class MetricView(Value):
    """A metric over the samples of one evaluation."""

    mean: Number
    standard_error: Number
    n: int


class EvaluationView(Value):
    """One pass over a split."""

    split: str
    iteration: int
    metrics: dict[str, MetricView]


class TrialSummary(Value):
    """A trial in a list."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    number: int
    step: int
    round: int
    pass_number: int = Field(alias="pass")
    purpose: TrialPurpose
    label: str
    params: dict[str, ParameterValue]
    seed: int
    data_seed: int
    state: TrialState
    cause: TrialCause | None
    message: str | None
    iterations: int | None  # done when it ended
    seconds: float | None  # its own training; None before it ended
    evaluations: tuple[EvaluationView, ...]
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class AttemptView(Value):
    """One try at a trial's job. ``resume_iteration`` is where the trial went on from."""

    id: str
    number: int
    state: AttemptState
    worker: str | None  # its name
    resume_iteration: int
    cause: str | None
    error: str | None
    traceback: str | None
    queued_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class TrialView(TrialSummary):
    """A trial with its attempts."""

    attempts: tuple[AttemptView, ...]
    switched_off: tuple[str, ...]  # regularisation that was off


class TrialPage(Value):
    """Trials by number. ``next_cursor`` asks for the next page; None: there is none."""

    items: tuple[TrialSummary, ...]
    next_cursor: str | None


class CurveView(Value):
    """One curve, ordered by iteration."""

    metric: str
    split: str
    iterations: tuple[int, ...]
    values: tuple[Number, ...]


class CurvesView(Value):
    """A trial's effective curves: each attempt's up to where the next one went on from."""

    trial: int
    curves: tuple[CurveView, ...]


class StudyReport(Value):
    """Everything a study found out, as one document."""

    id: str
    name: str
    state: StudyState
    reason: str | None
    task: str
    task_args: dict[str, ParameterValue]
    set: dict[str, ParameterValue]
    space: SearchSpace | None
    seed: int
    digest: str | None  # of the task's code
    description: TaskDescription | None
    problem: TaskProblem | None
    steps: tuple[StepReport, ...]
    findings: tuple[Finding, ...]
    trials: tuple[TrialSummary, ...]
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class WorkerView(Value):
    """A worker. Its state follows from the age of its last heartbeat and its attempts."""

    id: str
    name: str
    state: WorkerState
    slots: int
    busy_slots: int
    devices: tuple[str, ...]
    version: str
    registered_at: AwareDatetime
    seen_at: AwareDatetime


class EventView(Value):
    """Something that happened in a study. ``sequence`` rises by study, from 1 on."""

    sequence: int
    kind: str  # study, step, trial or points
    payload: dict[str, Any]
    at: AwareDatetime
