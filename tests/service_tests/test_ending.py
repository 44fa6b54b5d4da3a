"""What a command says when its study has ended, and how its numbers read."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recipes.budget import Budget, Spent
from recipes.description import TaskProblem
from recipes.finding import Finding, Severity
from recipes.result import Best, Compared, Result, TestResult
from recipes.step import StepKind, StepReport, StepState
from recipes.study import StudyConfig, StudyState
from service.commands.carry_out import Place, interrupted
from service.commands.ending import ending_lines
from service.commands.wording import data_dir_option, estimate, serve_command, setting
from service.server.server_file import ServerFile
from service.settings import Settings, default_data_dir
from service.views.models import BudgetView, StudyReport

SPENT = Spent(wall_seconds=72.0)
BEST = Best(
    trial=41,
    params={"lr": 0.0316227, "weight_decay": 1.2e-4, "hidden": 128},
    metric="accuracy",
    direction="maximize",
    value=0.97222,
    standard_error=0.00434,
    n=360,
    num_candidates=48,
    num_seeds=3,
    seed_sd=0.002,
    epoch=14,
    epochs=20,
    tied=(41, 12, 33),
)


def step(
    kind: StepKind, state: StepState = StepState.PASSED, round_: int = 1, **fields: Any
) -> StepReport:
    return StepReport(
        number=kind.number,
        kind=kind,
        round=round_,
        pass_number=1,
        state=state,
        verdict=state,
        sentence="A sentence.",
        **fields,
    )


def finding(code: str, severity: Severity, trial: int | None = None) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        confidence=1.0,
        sentence="Seen.",
        action="Act.",
        source="a test",
        trial=trial,
    )


def said(**fields: Any) -> list[str]:
    given = {"state": StudyState.COMPLETED, "reason": "finished", "steps": (), "findings": ()}
    unset = {"problem": None, "budget": BudgetView(allowed=Budget(), used=SPENT)}
    report = StudyReport.model_construct(**{**given, **unset, **fields})
    return ending_lines(report)


def test_a_whole_study_ends_with_its_result() -> None:
    result = Result(
        best=BEST,
        incumbent=Compared(
            trial=10,
            params={"lr": 0.1},
            value=0.95,
            standard_error=0.006,
            num_seeds=3,
            gain=0.0222,
            gain_standard_error=0.005,
            sentence="The best is better by 0.022 ± 0.005, paired.",
        ),
        test=TestResult(
            metric="accuracy",
            value=0.969,
            standard_error=0.009,
            n=360,
            num_seeds=3,
            incumbent_value=0.944,
            average_value=0.975,
            average_standard_error=0.008,
            average_of=(41, 50, 51),
        ),
        not_tried=("No other optimizer.",),
    )
    lines = said(
        reason="perfect",
        steps=(step(StepKind.INITIAL_LOSS), step(StepKind.LOOP, result=result)),
        findings=(
            finding("overfitting", Severity.WARNING),
            finding("overfitting", Severity.WARNING, trial=3),
            finding("note", Severity.INFO),
        ),
    )
    assert lines == [
        "Finished: every validation sample is right, and nothing can better it."
        " It took 1 min 12 s.",
        "Best setting (trial 41): lr=0.03162, weight_decay=0.00012, hidden=128",
        "  accuracy 0.9722 ± 0.0043 on 360 samples, mean of 3 seeds, best of 48 settings",
        "  Not to be told apart from it: 2 settings (trial 12, 33).",
        "  Your present setting (lr=0.1): 0.9500 ± 0.0060."
        " The best is better by 0.022 ± 0.005, paired.",
        "Test: accuracy 0.9690 ± 0.0090 on 360 samples, mean of 3 seeds;"
        " average of 3 models: 0.9750 ± 0.0080; your present setting: 0.944.",
        "Left out:",
        "  No other optimizer.",
        "Findings: overfitting, 1 note.",
    ]


def test_a_study_took_what_its_pages_say_it_took() -> None:
    """Not how long ago it began: what it waited for a person is not among it."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    waited = begun + timedelta(minutes=22)
    steps = (step(StepKind.INITIAL_LOSS),)
    (line, *_) = said(steps=steps, started_at=begun, finished_at=waited)
    assert line.endswith(" It took 1 min 12 s.")


def test_the_newest_result_counts() -> None:
    older = Result(best=BEST.model_copy(update={"trial": 1}))
    steps = (
        step(StepKind.COARSE_SEARCH, result=older),
        step(StepKind.FINE_SEARCH, result=Result(best=BEST)),
        step(StepKind.CURVES),
    )
    assert any("trial 41" in line for line in said(steps=steps))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((step(StepKind.INITIAL_LOSS),), "Finished: step 1 passed."),
        (
            (step(StepKind.INITIAL_LOSS), step(StepKind.OVERFIT_SAMPLE)),
            "Finished: steps 1 and 2 passed.",
        ),
        (
            (
                step(StepKind.INITIAL_LOSS, StepState.WARNING),
                step(StepKind.OVERFIT_SAMPLE),
                step(StepKind.LR_FINDER),
            ),
            "Finished: steps 1 to 3 done (step 1: warning).",
        ),
    ],
)
def test_a_part_of_the_recipe_says_how_it_went(steps: tuple[StepReport, ...], words: str) -> None:
    assert said(steps=steps)[0].startswith(words)


def test_the_learning_rate_finder_ends_with_its_interval() -> None:
    learned = {"lr_low": 4.6e-4, "lr_high": 0.46, "lr_best": 0.022, "rates": []}
    lines = said(steps=(step(StepKind.LR_FINDER, learned=learned),))
    assert lines[-1] == ("Learning rates that make the loss fall: 4.6e-4 to 4.6e-1; best 2.2e-2.")
    assert len(said(steps=(step(StepKind.LR_FINDER, StepState.FAILED),))) == 1


def test_a_failed_gates_sentence_is_not_said_again() -> None:
    failed = step(StepKind.INITIAL_LOSS, StepState.FAILED)
    lines = said(
        state=StudyState.NEEDS_ACTION,
        reason=failed.sentence,
        steps=(failed,),
        findings=(finding("initial_loss_high", Severity.ERROR),),
    )
    assert lines == [
        "Stopped after step 1: it needs you. It took 1 min 12 s.",
        "Findings: initial_loss_high.",
    ]


def test_a_task_that_cannot_be_used_has_its_place_and_cure() -> None:
    problem = TaskProblem(message="it broke", file="/a/task.py", line=3, cure="mend it")
    lines = said(state=StudyState.FAILED, reason="it broke", problem=problem)
    assert lines[1:] == ["/a/task.py:3: it broke", "Cure: mend it"]
    assert said(state=StudyState.CANCELLED, reason="cancelled")[0].startswith("Cancelled.")
    assert said(state=StudyState.FAILED, reason="lost all")[0].startswith("Failed: lost all.")


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.97222, 0.00434, "0.9722 ± 0.0043"),
        (12.345, 1.5, "12.3 ± 1.5"),
        (1234.5, 20.0, "1234 ± 20"),
        (0.5, 0.0, "0.5"),
        (0.5, math.nan, "0.5"),
        (math.nan, 0.1, "NaN"),
        (1.0, 1e-12, "1.00000000 ± 0.00000000"),
    ],
)
def test_a_value_has_the_digits_its_error_allows(value: float, error: float, text: str) -> None:
    assert estimate(value, error) == text


def test_a_setting_reads_as_people_write_it() -> None:
    params = {"lr": 0.0106912, "hidden": 64, "optimizer": "sgd", "nesterov": True}
    assert setting(params) == "lr=0.01069, hidden=64, optimizer=sgd, nesterov=True"
    assert setting({"lr": 1.23456e-5, "width": 2000.0}) == "lr=1.235e-05, width=2000"


def test_commands_are_complete(tmp_path) -> None:
    elsewhere = Settings(data_dir=tmp_path / "my data")
    here = Settings(data_dir=default_data_dir())
    assert data_dir_option(here) == ""
    assert data_dir_option(elsewhere) == f" --data-dir '{tmp_path}/my data'"
    assert serve_command(here, "digits") == "sevenstep serve"
    assert serve_command(here, "/a/task.py:Net") == "sevenstep serve --allow-task-files"
    assert serve_command(elsewhere, "package.module:Net") == (
        f"sevenstep serve --allow-task-files --data-dir '{tmp_path}/my data'"
    )


def test_an_interrupted_study_of_another_service_goes_on(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    file = ServerFile(address="http://127.0.0.1:8080", token="t", pid=1, version="0")
    config = StudyConfig(name="n", task="/a/task.py:Net")

    said = interrupted(config, "abc", Place(file, False, settings))
    assert "goes on without this command" in said
    assert "http://127.0.0.1:8080/studies/abc." in said
    assert "while the service at http://127.0.0.1:8080 is up" in said
    assert f"`sevenstep study pause abc --data-dir {tmp_path}` holds it" in said

    own = interrupted(config, "abc", Place(file, True, settings))
    assert f"`sevenstep serve --allow-task-files --data-dir {tmp_path}`" in own
    assert interrupted(config, None, None) == "Interrupted. No study was created."
