"""A step of the recipe: what it plans, and the report in which it judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from pydantic import AwareDatetime, ConfigDict, Field

from recipes.curve import EMPTY, Curve, CurveKey
from recipes.description import TaskDescription
from recipes.finding import Finding
from recipes.outcome import MemberOutcome
from recipes.run import RunSpec
from recipes.space import ParameterValue, SearchSpace
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
    """The one thing to do next. ``changes`` names what would be changed, and to what."""

    kind: str  # continue, change, widen
    sentence: str
    changes: dict[str, Any] = Field(default_factory=dict)


class Series(Value):
    """One line, scatter or set of bars of a figure. Empty ``x`` means 0, 1, 2..."""

    name: str
    x: tuple[Number, ...] = ()
    y: tuple[Number, ...] = ()
    labels: tuple[str, ...] = ()  # one a point, for its title
    role: str = "train"  # train, val, reference, good, bad, muted: picks colour and marker
    style: str = "line"  # line, dots or bars


class Figure(Value):
    """The data of one figure, drawn by the service as SVG."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    summary: str  # one sentence for those who cannot see it
    x_label: str
    y_label: str
    x_log: bool = False
    y_log: bool = False
    series: tuple[Series, ...]
    horizontal: tuple[tuple[str, Number], ...] = ()  # reference lines: (name, y)
    shaded: tuple[Number, Number] | None = None  # an interval of x to mark


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
    learned: dict[str, Any] = Field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    measured: dict[str, Number] = Field(default_factory=dict)  # times; never compared
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One ended trial of a step, as its judge sees it."""

    number: int
    purpose: TrialPurpose
    label: str  # the plan's own name for the group it belongs to
    params: Mapping[str, ParameterValue]
    outcome: MemberOutcome
    curves: Mapping[CurveKey, Curve] = field(default_factory=dict)

    def curve(self, metric: str, split: str = "train") -> Curve:
        """One of its curves; empty when it reported none."""
        return self.curves.get((metric, split), EMPTY)


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """A trial to make: its number is given by the service, in plan order."""

    params: Mapping[str, ParameterValue]
    seed: int
    data_seed: int
    purpose: TrialPurpose
    label: str


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job to make: its trials train together under one run spec.

    ``run`` is a function of the members because the service gives trials their numbers.
    """

    trials: tuple[TrialPlan, ...]
    settings: Mapping[str, Any]  # RunSpec's fields but members

    def run_spec(self, numbers: Sequence[int]) -> RunSpec:
        """The run spec once the trials have their numbers."""
        members = [
            {
                "trial": number,
                "params": dict(trial.params),
                "seed": trial.seed,
                "data_seed": trial.data_seed,
            }
            for number, trial in zip(numbers, self.trials, strict=True)
        ]
        return RunSpec.model_validate({**self.settings, "members": members})


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What a step wants run next. No jobs: it wants to judge."""

    jobs: tuple[JobPlan, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class StepContext:
    """All a step may know. The same context gives the same plan and the same report.

    Attributes:
        space: The study's space: the task's with the study's changes.
        learned: What the passed steps learned, merged in order.
        history: Reports of the steps judged so far, oldest first, all rounds and passes.
        trials: This step run's ended trials in order of their numbers.
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

    def labelled(self, label: str) -> list[TrialResult]:
        """This step run's trials of one group."""
        return [trial for trial in self.trials if trial.label == label]


class Step(Protocol):
    """One of the seven. Both methods are pure: same context, same answer."""

    kind: StepKind

    def plan(self, context: StepContext) -> StepPlan:
        """What to run next, given the trials ended so far. Called when none is left running."""
        ...

    def judge(self, context: StepContext) -> StepReport:
        """The verdict. Called when ``plan`` wants nothing more."""
        ...
