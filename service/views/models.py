"""What the service answers: the models of its REST responses and its pages' data.

Fields have no defaults that hide a missing value: a reader finds every one in every answer.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from recipes.budget import Budget, Spent
from recipes.description import TaskDescription, TaskProblem
from recipes.finding import Finding
from recipes.fusing import Fusing
from recipes.hypothesis import Effect, Hypothesis
from recipes.result import Best, Compared, Result, TestResult
from recipes.space import ParameterValue, SearchSpace
from recipes.step import Action, StepKind, StepReport, StepState
from recipes.study import SearchOptions, StudyConfig, StudyState
from recipes.trial import TrialCause, TrialPurpose, TrialState
from recipes.value import Number, Value
from recipes.wire import AttemptState, WorkerState
from service.use_cases.verbs import Verb


class ActionCost(Value):
    """What an action is expected to cost, by what the same work cost before.

    Attributes:
        seconds: Of active time.
        epochs: Passes over the training data, by all trials together.
    """

    seconds: float
    epochs: float


class ActionView(Action):
    """An action, what it would cost, and the command that has it done.

    Attributes:
        cost: Of running the step again (``widen``, ``change``) or of another round
            (``loop``); None where nothing like it has run.
        curl: For a POSIX shell in which ``TOKEN`` is set; None while there is nothing to do.
    """

    cost: ActionCost | None
    curl: str | None


class StepView(StepReport):
    """A step as it is answered: the report, or as much of it as there is while it runs."""

    action: ActionView | None = None


class StepPage(Value):
    """Runs of steps, oldest first. ``next_cursor`` asks for more; None: there are none."""

    items: tuple[StepView, ...]
    next_cursor: str | None


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
    """What a study does now.

    Attributes:
        progress: Share of the work planned so far that is done, 0 to 1. A search plans rung
            by rung and generation by generation, so it may fall again.
        done: Trials that ended.
        total: Trials planned so far.
        eta_seconds: How long the work planned so far will still take; None before any of it
            is done.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    step: int
    kind: StepKind
    round: int
    pass_number: int = Field(alias="pass")
    progress: float
    done: int
    total: int
    eta_seconds: float | None
    sentence: str


class BudgetView(Value):
    """What a study may spend, and what it has spent."""

    allowed: Budget
    used: Spent


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
    current: CurrentStep | None
    best: Best | None
    budget: BudgetView
    sentence: str  # the last verdict's, or what it waits for


class StudyView(Value):
    """A study.

    Attributes:
        version: Counts its changes. Sent as ``If-Match: "<version>"`` with a verb, it makes
            sure that nobody changed the study since.
        incumbent: The person's present setting; empty when none was given.
        fusing: How many trials train together, or why none; None until the task is described.
        result: Everything concluded so far; ``best`` is its best.
        verbs: What a person can do now that would change something.
        decision_step: The step whose action waits to be accepted or skipped.
    """

    id: str
    version: int
    name: str
    state: StudyState
    reason: str | None
    task: str
    task_args: dict[str, ParameterValue]
    set: dict[str, ParameterValue]
    space: SearchSpace | None  # None until the task is described
    fusing: Fusing | None
    seed: int
    incumbent: dict[str, ParameterValue]
    max_rounds: int | None
    autopilot: bool
    search: SearchOptions
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    current: CurrentStep | None
    steps: tuple[StepSummary, ...]
    planned_steps: tuple[int, ...]  # the step numbers it carries out, in order
    num_trials: int
    budget: BudgetView
    best: Best | None  # from the search steps on
    result: Result | None
    problem: TaskProblem | None  # why the task cannot be used
    verbs: tuple[Verb, ...]
    decision_step: int | None


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
    """A trial in a list.

    Attributes:
        value: The task's objective on ``val`` at the best epoch; None without one, and for
            a trial that diverged.
        standard_error: Of ``value``, from the validation samples.
        best_epoch: From 1; None for a run told in iterations.
        num_epochs: Trained so far; None for a run told in iterations.
        iterations: Done by the end, or by the rung it waits at.
        seconds: Its own training, its share where it trained together with others; None before
            it ended or paused.
        engine: How it was trained last: alone (``plain``) or together with others
            (``fused``); None before it ended or paused, and where its job ended without
            saying so.
        engine_reason: Why alone where its job asked for company, as a part of a sentence.
        num_together: How many trained together, itself included; None with ``engine``.
        evaluations: The last on each split; of a single trial all of them.
    """

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
    value: Number | None
    standard_error: Number | None
    best_epoch: int | None
    num_epochs: int | None
    iterations: int | None
    seconds: float | None
    engine: Literal["plain", "fused"] | None
    engine_reason: str | None
    num_together: int | None
    evaluations: tuple[EvaluationView, ...]
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class AttemptView(Value):
    """One try at one of a trial's jobs, numbered through all of them from 1.

    ``resume_iteration`` is where the trial went on from.
    """

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
    at_best: tuple[EvaluationView, ...]  # with the best epoch's weights
    snapshot_epoch: int | None  # whose weights are kept
    switched_off: tuple[str, ...]  # regularisation that was off


class TrialPage(Value):
    """Trials in the order asked for. ``next_cursor`` asks for more; None: there are none."""

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


class RoundView(Value):
    """One round of the loop: what it changed and why, and what came of it."""

    round: int
    hypothesis: Hypothesis | None  # None: the first round, which tests no change
    effect: Effect | None  # None: not known (yet)
    best: Best | None  # at the round's end


class Repeat(Value):
    """How to get the same study again."""

    command: str  # for a shell
    config: StudyConfig  # for POST /api/v1/studies
    seed: int
    digest: str | None  # of the task's code
    versions: dict[str, str]


class StudyReport(Value):
    """Everything a study found out, as one document.

    Attributes:
        fusing_sentence: How many trials train together, or why none; None until the task is
            described.
    """

    id: str
    name: str
    state: StudyState
    reason: str | None
    task: str
    task_args: dict[str, ParameterValue]
    set: dict[str, ParameterValue]
    space: SearchSpace | None
    seed: int
    incumbent_setting: dict[str, ParameterValue]
    digest: str | None  # of the task's code
    description: TaskDescription | None
    fusing_sentence: str | None
    problem: TaskProblem | None
    best: Best | None
    incumbent: Compared | None
    test: TestResult | None
    not_tried: tuple[str, ...]
    rounds: tuple[RoundView, ...]
    budget: BudgetView
    steps: tuple[StepView, ...]
    findings: tuple[Finding, ...]
    trials: tuple[TrialSummary, ...]
    repeat: Repeat
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class FindingPage(Value):
    """Findings in the order they were made. ``next_cursor`` asks for more; None: no more."""

    items: tuple[Finding, ...]
    next_cursor: str | None


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


class WorkerPage(Value):
    """Workers, newest first. ``next_cursor`` asks for more; None: there are none."""

    items: tuple[WorkerView, ...]
    next_cursor: str | None


class EventView(Value):
    """Something that happened in a study. ``sequence`` rises by study, from 1 on."""

    sequence: int
    kind: str  # study, step, trial or points
    payload: dict[str, Any]
    at: AwareDatetime


class StudyEventView(EventView):
    """The same in a stream of several studies."""

    study: str
