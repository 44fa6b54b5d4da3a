"""A step of the recipe: what it plans, and the report in which it judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol

from pydantic import AwareDatetime, ConfigDict, Field

from recipes.budget import BudgetState
from recipes.curve import EMPTY, Curve, CurveKey
from recipes.description import TaskDescription
from recipes.finding import Finding
from recipes.outcome import MemberOutcome
from recipes.result import Result
from recipes.run import RunSpec
from recipes.space import ParameterValue, SearchSpace
from recipes.study import SearchOptions
from recipes.trial import TrialPurpose
from recipes.value import Number, Scalar, Value


class StepKind(StrEnum):
    """The seven steps, by their numbers 1 to 7."""

    INITIAL_LOSS = "initial_loss"
    OVERFIT_SAMPLE = "overfit_sample"
    LR_FINDER = "lr_finder"
    COARSE_SEARCH = "coarse_search"
    FINE_SEARCH = "fine_search"
    CURVES = "curves"
    LOOP = "loop"

    @property
    def number(self) -> int:
        """1 to 7."""
        return list(StepKind).index(self) + 1


class StepState(StrEnum):
    """Where one run of a step is. The last six but running are verdicts."""

    PENDING = "pending"
    RUNNING = "running"
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    STALE = "stale"


class Action(Value):
    """The one thing to do next. ``changes`` names what would be changed, and to what.

    ``widen`` runs the step again over a wider range, ``loop`` begins another round; both
    apply themselves unless the study's ``autopilot`` is off. ``change`` is a person's to do.
    """

    kind: str  # continue, change, widen, loop
    sentence: str
    changes: dict[str, Any] = Field(default_factory=dict)


class Series(Value):
    """One line, scatter or set of bars of a figure. Empty ``x`` means 0, 1, 2...

    ``errors``, one a point where given, is how far its interval reaches to either side: a
    band around a line, whiskers on dots and bars.
    """

    name: str
    x: tuple[Number, ...] = ()
    y: tuple[Number, ...] = ()
    errors: tuple[Number, ...] = ()
    tints: tuple[Number, ...] = ()  # one a point: what its colour tells, see Figure.tint_label
    labels: tuple[str, ...] = ()  # one a point, for its title
    role: str = "train"  # train, val, reference, good, bad, muted: picks colour and marker
    style: str = "line"  # line, dots or bars


class Box(Value):
    """A region of a figure with a name: the range it covers on either axis.

    A range of no width is a value that was fixed; one from 0 on reaches the place that 0 has
    beside a logarithmic axis.
    """

    name: str
    x: tuple[Number, Number]
    y: tuple[Number, Number]
    role: str = "reference"


class Figure(Value):
    """The data of one figure, drawn by the service as SVG.

    Attributes:
        x_names: What x = 0, 1, 2... are called, where x has no unit (settings, choices).
        y_from_zero: Whether the y axis must hold 0, so that differences are not exaggerated.
        direction: Which way y is better. Values that are not numbers, and a few enormous
            ones, are marked on the worse edge: the upper one unless ``maximize``.
        tint_label: What the colours of points with ``tints`` tell; empty without any.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    summary: str  # one sentence for those who cannot see it
    x_label: str
    y_label: str
    x_log: bool = False
    y_log: bool = False
    x_names: tuple[str, ...] = ()
    y_from_zero: bool = False
    direction: Literal["maximize", "minimize"] | None = None
    series: tuple[Series, ...]
    horizontal: tuple[tuple[str, Number], ...] = ()  # reference lines: (name, y)
    shaded: tuple[Number, Number] | None = None  # an interval of x to mark
    tint_label: str = ""
    boxes: tuple[Box, ...] = ()


class StepReport(Value):
    """What a step concluded. Everything but the times is the same for equal studies."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    number: int
    kind: StepKind
    round: int
    pass_number: int = Field(alias="pass")
    state: StepState
    verdict: StepState | None = None
    sentence: str = ""
    evidence: dict[str, Number | Scalar] = Field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    action: Action | None = None
    accepted: bool = False  # a person applied the action
    skip_reason: str | None = None  # a person went on without it, and why
    learned: dict[str, Any] = Field(default_factory=dict)
    result: Result | None = None  # steps 4, 5 and 7: the best so far
    figures: tuple[Figure, ...] = ()
    measured: dict[str, Number] = Field(default_factory=dict)  # times; never compared
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial that ended, or that waits at a rung, as its judge sees it."""

    number: int
    purpose: TrialPurpose
    label: str  # the plan's own name for the group it belongs to
    params: Mapping[str, ParameterValue]
    outcome: MemberOutcome
    curves: Mapping[CurveKey, Curve] = field(default_factory=dict)
    seed: int = 0
    data_seed: int = 0
    step: int = 0
    round: int = 1
    pass_number: int = 1

    def curve(self, metric: str, split: str = "train") -> Curve:
        """One of its curves; empty when it reported none."""
        return self.curves.get((metric, split), EMPTY)


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """A trial to make: its number is given by the service, by place and then in plan order."""

    params: Mapping[str, ParameterValue]
    seed: int
    data_seed: int
    purpose: TrialPurpose
    label: str
    snapshots: tuple[int, ...] = ()
    place: int = 0  # among its plan's trials, where jobs do not hold them in their order


@dataclass(frozen=True, slots=True)
class Continued:
    """A trial that waits at a rung and goes on from its checkpoint."""

    number: int
    params: Mapping[str, ParameterValue]
    seed: int
    data_seed: int

    @classmethod
    def of(cls, trial: TrialResult) -> Continued:
        """The same trial, going on."""
        return cls(trial.number, trial.params, trial.seed, trial.data_seed)


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job to make: its trials train together under one run spec.

    ``run`` is a function of the members because the service gives new trials their numbers.
    """

    trials: tuple[TrialPlan | Continued, ...]
    settings: Mapping[str, Any]  # RunSpec's fields but members

    def run_spec(self, numbers: Sequence[int]) -> RunSpec:
        """The run spec once the trials have their numbers, a continued one its own."""
        members = [
            {
                "trial": number,
                "params": dict(trial.params),
                "seed": trial.seed,
                "data_seed": trial.data_seed,
                "snapshots": () if isinstance(trial, Continued) else trial.snapshots,
            }
            for number, trial in zip(numbers, self.trials, strict=True)
        ]
        return RunSpec.model_validate({**self.settings, "members": members})


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What a step wants run next. No jobs: it wants to judge.

    ``discard`` names waiting trials that end here, as ``pruned`` by ``early_discard``;
    a plan without jobs may have some too. A trial still waiting when its step is judged
    without having been named is discarded with it.
    """

    jobs: tuple[JobPlan, ...] = ()
    sentence: str = ""
    discard: tuple[int, ...] = ()

    @property
    def new_trials(self) -> tuple[TrialPlan, ...]:
        """The trials that get a number, in the order of their numbers."""
        return tuple(trial for trial, _ in self._new)

    def numbers(self, first: int) -> list[list[int]]:
        """The numbers of each job's trials: of one that goes on its own, of a new one the next.

        Args:
            first: The lowest number that no trial has.
        """
        given = {where: first + count for count, (_, where) in enumerate(self._new)}
        return [
            [
                each.number if isinstance(each, Continued) else given[at, within]
                for within, each in enumerate(job.trials)
            ]
            for at, job in enumerate(self.jobs)
        ]

    @property
    def _new(self) -> list[tuple[TrialPlan, tuple[int, int]]]:
        """The trials that get a number, in its order, and which of which job's each is."""
        found = [
            (each, (at, within))
            for at, job in enumerate(self.jobs)
            for within, each in enumerate(job.trials)
            if not isinstance(each, Continued)
        ]
        return sorted(found, key=lambda new: new[0].place)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the trials add up to that ``StepContext.search`` leaves out.

    Attributes:
        num_valued: Search trials with a value.
        epochs: Whole epochs trained.
        seconds: Of training, of what trained together each trial's share.
        seconds_alone: What it would have taken had they trained alone.
    """

    num_valued: int = 0
    epochs: int = 0
    seconds: float = 0.0
    seconds_alone: float = 0.0


@dataclass(frozen=True, slots=True)
class StepContext:
    """All a step may know. The same context gives the same plan and the same report.

    Attributes:
        space: The study's space: the task's with the study's changes.
        learned: What the passed steps learned, merged in order.
        history: Reports of the steps judged so far, oldest first, all rounds and passes.
        trials: This step run's trials in order of their numbers; all have ended or wait at a
            rung. They have their curves for a step with ``reads_curves``.
        search: For a step with ``reads_search``: of the study's steps 4, 5 and 7 the trials
            that can matter to it and are not in ``trials``, oldest first
            (``recipes.search.memory``). A step with ``reads_curves`` gets its round's too
            (``recipes.evidence.study_curves``): those and the best setting's have curves.
        left_out: What the others of those trials add up to.
        options: How the searches are carried out.
        incumbent: The user's present setting; empty when none was given.
        budget: What may be spent, and what has been.
        max_rounds: Most rounds of steps 5 to 7; None: until the budget is spent.
    """

    seed: int
    description: TaskDescription
    space: SearchSpace
    fixed: Mapping[str, ParameterValue]
    learned: Mapping[str, Any]
    history: Sequence[StepReport]
    trials: Sequence[TrialResult]
    round: int = 1
    pass_number: int = 1
    search: Sequence[TrialResult] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    options: SearchOptions = field(default_factory=SearchOptions)
    incumbent: Mapping[str, ParameterValue] = field(default_factory=dict)
    budget: BudgetState = field(default_factory=BudgetState)
    max_rounds: int | None = None

    def labelled(self, label: str) -> list[TrialResult]:
        """This step run's trials of one group."""
        return [trial for trial in self.trials if trial.label == label]


class Step(Protocol):
    """One of the seven. Both methods are pure: same context, same answer.

    ``reads_search`` says whether the context must hold earlier steps' trials, ``reads_curves``
    whether its trials have their curves, so that a step that needs none of it costs nothing.
    """

    kind: StepKind
    reads_search: ClassVar[bool] = False
    reads_curves: ClassVar[bool] = False

    def plan(self, context: StepContext) -> StepPlan:
        """What to run next, given the trials ended so far. Called when none is left running."""
        ...

    def judge(self, context: StepContext) -> StepReport:
        """The verdict. Called when ``plan`` wants nothing more."""
        ...
