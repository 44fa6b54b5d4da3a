"""What steps 4, 5 and 7 plan and say, each from a context of its own."""

from __future__ import annotations

import dataclasses

import pytest

from recipes.budget import Budget, BudgetState
from recipes.evidence.search import search_evidence
from recipes.finding import Finding, Severity
from recipes.hypothesis import EffectKind, Hypothesis
from recipes.loop.advice import CATALOGUE, Change
from recipes.loop.decide import decide
from recipes.loop.effects import effect_of
from recipes.loop.situation import Situation, situation
from recipes.search.figures import search_figures
from recipes.search.round_plan import RoundPlan
from recipes.search.scoring import ranked
from recipes.space import Float, ParameterValue, SearchSpace
from recipes.step import StepKind, StepReport, StepState, TrialResult
from recipes.steps.coarse_search import CoarseSearch
from recipes.trial import TrialCause, TrialPurpose
from tests.recipes_tests.builders import SPACE, context, description
from tests.recipes_tests.search.test_comparing import repeats, trial
from tests.recipes_tests.search.test_whole_recipe import peak
from tests.simulated import Simulated


def test_the_first_search_over_a_changed_task_is_no_wider_pass() -> None:
    first = dataclasses.replace(context(), incumbent={"lr": 1e-3})
    rerun = dataclasses.replace(first, pass_number=2)  # what was pass 1 became stale

    plans = [CoarseSearch().plan(each) for each in (first, rerun)]

    for plan in plans:
        labels = [each.label for each in plan.new_trials]
        assert labels == ["incumbent", *["search"] * 32]


@pytest.mark.parametrize(("fine_trials", "sizes"), [(10, [8, 2]), (16, [8, 8]), (3, [3])])
def test_the_last_generation_takes_what_is_left(fine_trials: int, sizes: list[int]) -> None:
    space = SearchSpace({"lr": Float(1e-4, 1e-2, log=True)})
    study = Simulated(peak(3e-3), space, search={"fine_trials": fine_trials}, max_rounds=1)
    study.run()

    labels = [each.label for each in study.trials.values() if each.step == 5]
    begun = [labels.count(f"generation {at}") for at in range(1, len(sizes) + 2)]
    assert begun == [*sizes, 0]


def test_hyperparameters_of_any_name_have_figures_of_their_own() -> None:
    names = ("lr", "λ", "μ", "map", "curves", "Map")
    space = SearchSpace({name: Float(0.1, 1.0) for name in names})
    trials = [trial(0, [0.1, 0.9], params=dict.fromkeys(space.root, 0.5))]
    evidence = search_evidence(
        StepKind.COARSE_SEARCH, description(), space, trials, epochs=1, early_discard=True
    )

    figures = [each.name for each in search_figures(evidence, "A summary.")]

    assert figures[0] == "search_lr"
    assert len(set(figures)) == len(figures) == len(names)
    assert not {"search_map", "search_curves"} & set(figures)


# Step 7

ADVICE = {each.name: each.propose for each in CATALOGUE}


def now(
    *codes: str,
    space: SearchSpace = SPACE,
    params: dict[str, ParameterValue] | None = None,
    round_number: int = 1,
    max_rounds: int | None = None,
    budget: Budget | None = None,
) -> Situation:
    """After a round of 20 epochs whose best trial has these values."""
    here = dataclasses.replace(
        context(space=space),
        round=round_number,
        max_rounds=max_rounds,
        budget=BudgetState(budget or Budget()),
    )
    best = trial(0, [0.1, 0.5], params=params or {"lr": 1e-2})
    return Situation(
        context=here,
        codes=codes,
        base=RoundPlan(space=space, epochs=20),
        best=None,
        best_single=ranked([best], here.description)[0],
        hypotheses=(),
        effects=(),
    )


def proposed(name: str, made: Situation) -> Change:
    change = ADVICE[name](made)
    assert change is not None
    return change


def test_a_closer_search_stays_inside_a_hard_range() -> None:
    ends = (1e-2, 0.66666)
    space = SearchSpace({"lr": Float(*ends, log=True, hard=True)})

    for lr in (ends[0], 0.1, ends[1]):
        change = proposed(
            "search_more", now(space=space, params={"lr": lr}, budget=Budget(epochs=1000))
        )
        box = change.plan.space["lr"]
        assert isinstance(box, Float)
        assert ends[0] <= box.low < box.high <= ends[1]
        assert box.holds(lr)


def test_a_schedules_first_rates_stay_inside_a_hard_range() -> None:
    space = SearchSpace({"lr": Float(1e-2, 0.66666, log=True, hard=True)})

    change = proposed("schedule", now(space=space, params={"lr": 0.66666}))

    assert change.changes["lr"] == [0.66666]
    assert [each["lr"] for each in change.plan.anchors] == [0.66666]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("still_improving", "validation still improved"),
        ("underfitting", "the training data are not fitted"),
        ("flat_then_drop", "the loss stood still at first"),
        ("lr_too_low", "the learning rate is low for so few"),
    ],
)
def test_longer_training_says_what_asks_for_it(code: str, why: str) -> None:
    change = proposed("train_longer", now(code))

    assert change.because == (code,)
    assert change.sentence == f"Train 40 epochs instead of 20: {why}."


def found(code: str, severity: Severity) -> Finding:
    return Finding(
        code=code, severity=severity, confidence=0.8, sentence="s", action="a", source="s"
    )


def searched(round_number: int, *findings: Finding) -> StepReport:
    """Step 5's report with some findings."""
    return StepReport(
        number=5,
        kind=StepKind.FINE_SEARCH,
        round=round_number,
        pass_number=1,
        state=StepState.WARNING,
        verdict=StepState.WARNING,
        findings=findings,
    )


def after(round_number: int, *history: StepReport) -> Situation:
    """A round that ended with healthy curves."""
    here = context(learned={"curve_findings": ["healthy"]}, history=history)
    whole = dataclasses.replace(here, search=[trial(0, [0.1, 0.5])], round=round_number)
    made = situation(whole, [])
    assert made is not None
    return made


def test_what_the_rounds_search_warned_of_asks_for_a_warm_up() -> None:
    edge = found("best_lr_at_stability_edge", Severity.WARNING)
    note = found("many_diverged", Severity.INFO)
    made = after(1, searched(1, edge, note))

    assert made.codes == ("healthy", "best_lr_at_stability_edge")
    change = proposed("warmup", made)
    assert change.because == ("best_lr_at_stability_edge",)
    assert change.sentence.endswith("rates right above the best one diverge.")
    earlier = after(2, searched(1, edge), searched(2))
    assert earlier.codes == ("healthy",)
    assert ADVICE["warmup"](earlier) is None


@pytest.mark.parametrize(
    ("round_number", "asked", "sentence"),
    [
        (1, 1, "1 round was asked for and is done."),
        (2, 2, "2 rounds were asked for and are done."),
        (3, None, "3 rounds are done: the most, unless more are asked for."),
    ],
)
def test_rounds_that_nobody_asked_for_are_not_called_so(
    round_number: int, asked: int | None, sentence: str
) -> None:
    decision = decide(now("underfitting", round_number=round_number, max_rounds=asked))

    assert (decision.stop_reason, decision.sentence) == ("rounds", sentence)


def untested(*trials: TrialResult) -> str:
    """What is said of round 2, which ran these trials, against the first one's setting."""
    before = repeats([0.80, 0.81], "repeat of 1", first=10)
    hypothesis = Hypothesis(
        advice="warmup",
        sentence="s",
        metric="accuracy",
        direction="maximize",
        expected=0.01,
        noise=0.01,
        baseline=0.805,
        baseline_trial=10,
        round=2,
    )
    here = dataclasses.replace(context(), search=[*before, *trials], round=2)
    effect = effect_of(hypothesis, here)
    assert effect.kind is EffectKind.UNTESTED
    return effect.sentence


@pytest.mark.parametrize("lost", [1, 2])
def test_a_round_whose_settings_lost_seeds_is_not_one_without_repeats(lost: int) -> None:
    runs = [
        dataclasses.replace(each, round=2) for each in repeats([0.9, 0.9], "repeat of 2", first=20)
    ]
    for at in range(lost):
        ended = runs[at].outcome.model_copy(update={"cause": TrialCause.DIVERGED})
        runs[at] = dataclasses.replace(runs[at], outcome=ended)

    assert untested(*runs).endswith("every setting that was repeated lost a run with a new seed.")
    assert {each.purpose for each in runs} == {TrialPurpose.REPEAT}
    assert untested().endswith("no setting was repeated with new seeds.")
