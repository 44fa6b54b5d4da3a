"""What the gallery's study concluded: trials, figures, findings, reports and their result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from recipes.evidence.search import SearchEvidence, search_evidence
from recipes.finding import Cause, Finding, Severity
from recipes.hypothesis import Effect, EffectKind, Hypothesis
from recipes.outcome import Evaluation, MemberOutcome
from recipes.result import Best, Compared, Result, TestResult
from recipes.search.overlay import curve_overlay
from recipes.search.region import narrowed
from recipes.search.setting_map import setting_map
from recipes.space import Float, Int, ParameterValue, SearchSpace
from recipes.step import (
    Action,
    Figure,
    Series,
    StepKind,
    StepReport,
    StepState,
    TrialResult,
)
from recipes.trial import TrialCause, TrialPurpose, TrialState
from tests.recipes_tests.builders import description, moments

EPOCHS = 8
BATCHES = 40
NUM_SEARCHED = 24
BEST = Best(
    trial=9,
    params={"lr": 0.0123, "weight_decay": 0.0, "hidden": 128},
    metric="accuracy",
    direction="maximize",
    value=0.9712,
    standard_error=0.0043,
    n=360,
    num_candidates=31,
    num_seeds=3,
    seed_sd=0.0021,
    epoch=7,
    epochs=EPOCHS,
    tied=(9, 4, 13),
)
HYPOTHESIS = Hypothesis(
    advice="cosine_schedule",
    because=("still_improving",),
    sentence="A cosine schedule with learning rates x3 and x10, since the curves still rise at"
    " their end; expected to gain at least 0.5 points.",
    metric="accuracy",
    direction="maximize",
    expected=0.005,
    noise=0.002,
    baseline=0.953,
    baseline_trial=4,
    round=2,
)
EFFECT = Effect(
    hypothesis=HYPOTHESIS,
    kind=EffectKind.CONFIRMED,
    after=0.971,
    gain=0.018,
    noise=0.004,
    sentence="The cosine schedule gained 1.8 points, more than the 0.4 of the noise: confirmed.",
)
REFUTED = EFFECT.model_copy(
    update={
        "kind": EffectKind.REFUTED,
        "hypothesis": HYPOTHESIS.model_copy(
            update={"advice": "wider", "sentence": "Twice the hidden units.", "round": 3}
        ),
        "gain": -0.001,
        "sentence": "Twice the hidden units gained nothing beyond the noise: refuted.",
    }
)
INCUMBENT = Compared(
    trial=4,
    params={"lr": 0.1, "weight_decay": 5e-4, "hidden": 64},
    value=0.942,
    standard_error=0.0071,
    num_seeds=3,
    gain=0.029,
    gain_standard_error=0.006,
    sentence="The best is better by 2.9 points ± 0.6, more than chance gives.",
)
TEST = TestResult(
    metric="accuracy",
    value=0.9655,
    standard_error=0.0061,
    n=360,
    num_seeds=3,
    incumbent_value=0.94,
    average_value=0.9722,
    average_standard_error=0.0055,
    average_of=(9, 13, 4),
)
RESULT = Result(
    best=BEST,
    incumbent=INCUMBENT,
    test=TEST,
    hypotheses=(HYPOTHESIS, REFUTED.hypothesis),
    effects=(EFFECT, REFUTED),
    not_tried=(
        "hidden above 256: the range was hard.",
        "Other optimisers than sgd: the space has one.",
    ),
)


def params_of(number: int) -> dict[str, ParameterValue]:
    """Settings spread over the space, every fifth without weight decay."""
    return {
        "lr": 10 ** (-4 + 4 * ((number * 0.618) % 1)),
        "weight_decay": 0.0 if number % 5 == 4 else 10 ** (-6 + 5 * ((number * 0.414) % 1)),
        "hidden": 32 * (1 + number % 4),
    }


def accuracy_of(number: int, epoch: int) -> float:
    """Best near a rate of 1e-2, rising with the epochs, falling a little at the end."""
    distance = abs(math.log10(float(params_of(number)["lr"])) + 2)
    ceiling = 0.97 - 0.13 * distance
    late = 0.004 * max(0, epoch - 6)
    return 0.1 + (ceiling - 0.1) * (1 - math.exp(-0.6 * epoch)) - late


def is_lost(number: int) -> bool:
    """Whether a trial diverged: its rate is too high."""
    return float(params_of(number)["lr"]) > 0.4


def outcome_of(number: int, *, epochs: int = EPOCHS, pruned: bool = False) -> MemberOutcome:
    """A trial with an evaluation before training and after each epoch."""
    evaluations = [
        Evaluation(
            split=split,
            iteration=epoch * BATCHES,
            metrics={
                "accuracy": moments(min(1.0, accuracy_of(number, epoch) + ahead), 0.2, 360),
                "loss": moments(2.3 * math.exp(-0.4 * epoch) + 0.1 - ahead, 0.4, 360),
            },
        )
        for epoch in range(epochs + 1)
        for split, ahead in (("train", 0.02), ("val", 0.0))
    ]
    state, cause = TrialState.COMPLETE, TrialCause.FINISHED
    if is_lost(number):
        state, cause = TrialState.COMPLETE, TrialCause.DIVERGED
    elif pruned:
        state, cause = TrialState.PRUNED, TrialCause.EARLY_DISCARD
    return MemberOutcome(
        trial=number,
        state=state,
        cause=cause,
        iterations=epochs * BATCHES,
        evaluations=tuple(evaluations),
        snapshot_epoch=min(6, epochs),
        seconds=1.5 * epochs,
    )


SEARCHED = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 0.1, log=True, zero=True),
        "hidden": Int(32, 128),
    }
)


def searched(kind: StepKind = StepKind.COARSE_SEARCH) -> SearchEvidence:
    """The evidence of the gallery's search: every third trial was discarded early."""
    trials = [
        TrialResult(
            number=number,
            purpose=TrialPurpose.SEARCH,
            label="search",
            params=params_of(number),
            outcome=outcome_of(
                number, epochs=3 if number % 3 == 0 else EPOCHS, pruned=number % 3 == 0
            ),
        )
        for number in range(NUM_SEARCHED)
    ]
    return search_evidence(
        kind, description(), SEARCHED, trials, epochs=EPOCHS, early_discard=True
    )


def search_maps() -> tuple[Figure, ...]:
    """The map of step 4, with the box of step 5."""
    evidence = searched()
    box, fixed = narrowed(evidence.space, evidence.ranked, evidence.relevance)
    return setting_map(evidence, "The best settings lie around 1e-2.", box=box, fixed=fixed)


def search_figures() -> tuple[Figure, ...]:
    """What the searches show: a scatter a hyperparameter, and what mattered."""
    numbers = range(NUM_SEARCHED)
    groups = {
        "ran to its end": ("train", [n for n in numbers if n % 3 and not is_lost(n)]),
        "stopped early": ("muted", [n for n in numbers if n % 3 == 0 and not is_lost(n)]),
        "diverged": ("bad", [n for n in numbers if is_lost(n)]),
    }

    def scatter(name: str, *, log: bool) -> Figure:
        return Figure(
            name=f"search_{name}",
            title=f"Accuracy on validation by {name}",
            summary=f"The best settings lie around the middle of {name}.",
            x_label=name,
            y_label="accuracy",
            x_log=log,
            direction="maximize",
            series=tuple(
                Series(
                    name=said,
                    x=tuple(float(params_of(n)[name]) for n in found),
                    y=tuple(math.nan if is_lost(n) else accuracy_of(n, 7) for n in found),
                    labels=tuple(f"trial {n}" for n in found),
                    role=role,
                    style="dots",
                )
                for said, (role, found) in groups.items()
            ),
        )

    return (
        scatter("lr", log=True),
        scatter("weight_decay", log=True),
        scatter("hidden", log=False),
        Figure(
            name="importance",
            title="What mattered",
            summary="The learning rate explains most of the differences.",
            x_label="hyperparameter",
            y_label="share of the variance explained",
            series=(
                Series(
                    name="importance",
                    y=(0.81, 0.13, 0.06),
                    labels=("lr", "weight_decay", "hidden units of the first layer"),
                    style="bars",
                ),
            ),
        ),
    )


def finalist_figures() -> tuple[Figure, ...]:
    return (
        Figure(
            name="finalists",
            title="The finalists over three seeds, with two standard errors to either side",
            summary="Trial 9 leads; 4 and 13 cannot be told apart from it.",
            x_label="setting, by its first trial",
            y_label="accuracy",
            direction="maximize",
            x_names=("9", "4", "13", "yours"),
            series=(
                Series(
                    name="mean",
                    y=(0.971, 0.968, 0.966, 0.942),
                    errors=(0.0086, 0.009, 0.01, 0.014),
                    style="dots",
                ),
                Series(
                    name="single seeds",
                    x=(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3),
                    y=tuple(
                        mean + apart
                        for mean in (0.971, 0.968, 0.966, 0.942)
                        for apart in (0.002, 0.0, -0.002)
                    ),
                    role="muted",
                    style="dots",
                ),
            ),
        ),
    )


def curve_figures() -> tuple[Figure, ...]:
    epochs = tuple(float(e) for e in range(EPOCHS + 1))
    val = tuple(accuracy_of(9, e) for e in range(EPOCHS + 1))
    train = tuple(min(1.0, v + 0.02) for v in val)
    best = max(range(EPOCHS + 1), key=lambda e: val[e])
    return (
        Figure(
            name="curves_metric",
            title="Accuracy of the best setting by epoch",
            summary=f"Validation is best at epoch {best} and falls a little after it.",
            x_label="epoch",
            y_label="accuracy",
            direction="maximize",
            series=(
                Series(name="train", x=epochs, y=train),
                Series(name="val", x=epochs, y=val, errors=(0.009,) * len(val), role="val"),
                Series(
                    name=f"best epoch {best}",
                    x=(epochs[best],),
                    y=(val[best],),
                    role="good",
                    style="dots",
                ),
            ),
        ),
    )


def round_figures() -> tuple[Figure, ...]:
    return (
        Figure(
            name="rounds",
            title="Best setting by round",
            summary="Round 2 gained 1.8 points, round 3 nothing.",
            x_label="round",
            y_label="accuracy",
            direction="maximize",
            series=(
                Series(
                    name="best", x=(1, 2, 3), y=(0.953, 0.971, 0.970), errors=(0.008, 0.006, 0.006)
                ),
            ),
        ),
    )


def findings() -> tuple[Finding, ...]:
    return (
        Finding(
            code="still_improving",
            severity=Severity.WARNING,
            confidence=0.8,
            sentence="Validation loss still falls by 2 % an epoch at the end of 7 of 12 runs.",
            evidence={"share": 0.58, "threshold": 0.5},
            causes=(Cause(code="few_epochs", sentence="The epochs are few.", confidence=0.6),),
            action="Train longer, or let the learning rate fall.",
            source="method, step 6",
        ),
        *(
            Finding(
                code="overfitting",
                severity=Severity.WARNING,
                confidence=0.7,
                sentence=f"Trial {number}: the gap between train and validation is 9 points.",
                evidence={"gap": 0.09},
                action="More weight decay, or less capacity.",
                source="method, step 6",
                trial=number,
            )
            for number in (3, 7, 11)
        ),
        Finding(
            code="healthy",
            severity=Severity.INFO,
            confidence=0.9,
            sentence="The best setting's curves are healthy.",
            action="Nothing.",
            source="method, step 6",
            trial=9,
        ),
    )


def reports() -> list[StepReport]:
    """The study's reports, oldest first."""
    sentences = {
        1: "Initial loss 2.31; ln 10 = 2.303: off by 0.3 %, so the model starts undecided.",
        2: "100 % of 32 samples memorised after 21 iterations at learning rate 1e-1.",
        3: "Learning rates 4.6e-4 to 4.6e-1 make the loss fall; best 2.2e-2.",
        4: "Best of 24 settings: lr 1.1e-2, accuracy 95.3 % ± 1.1; inside the range.",
        5: "Best of 16 settings: 97.1 % ± 0.9; 3 settings cannot be told apart from it.",
        6: "The curves still rise at their end: a schedule would help.",
        7: "Round {round} is done.",
    }
    figures: Mapping[int, tuple[Figure, ...]] = {
        4: (*search_maps(), *search_figures()),
        5: (*finalist_figures(), *curve_overlay(searched()), *search_figures()[:1]),
        6: curve_figures(),
        7: round_figures(),
    }
    made: list[StepReport] = []

    def add(number: int, round: int = 1, pass_number: int = 1, **changes: Any) -> None:
        state = changes.pop("state", StepState.PASSED)
        made.append(
            StepReport(
                number=number,
                kind=list(StepKind)[number - 1],
                round=round,
                pass_number=pass_number,
                state=state,
                verdict=state,
                sentence=changes.pop("sentence", sentences[number].format(round=round)),
                evidence={"trials": 24, "best": 0.953, "note": math.nan},
                figures=figures.get(number, ()),
                **changes,
            )
        )

    first = RESULT.model_copy(update={"effects": (), "hypotheses": (), "test": None})
    widen = Action(kind="widen", sentence="The best rate lies at the edge: widen to 1e-5 .. 10.")
    add(1)
    add(2)
    add(3)
    add(4, state=StepState.WARNING, sentence="The best lies at the edge.", action=widen)
    add(4, pass_number=2, result=first)
    add(5, result=first)
    add(6, state=StepState.WARNING, findings=findings())
    add(7, action=Action(kind="loop", sentence=HYPOTHESIS.sentence), result=first)
    for round in (2, 3):
        add(5, round, result=RESULT)
        add(6, round, findings=findings()[:1])
        add(7, round, result=RESULT, learned={"stop_reason": "no_gain"})
    return made
