"""The parts that pages are made of, each by itself."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from recipes.finding import Finding, Severity
from recipes.fusing import NOT_MEASURED, Fusing
from recipes.trial import TrialCause, TrialPurpose, TrialState
from recipes.wire import AttemptState
from service.pages.diagnoses import diagnoses
from service.pages.how_trained import NO_COMPANY, how_trained
from service.pages.layers import layer_tables
from service.pages.rungs import rungs
from service.pages.trial_table import trial_table
from service.views.models import AttemptView, CurvesView, CurveView, TrialView
from service.views.results import interval
from tests.recipes_tests.builders import initialisation

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def attempt(number: int, state: AttemptState, resumed: int = 0) -> AttemptView:
    return AttemptView(
        id=f"a{number}",
        number=number,
        state=state,
        worker="gpu-1",
        resume_iteration=resumed,
        cause=None,
        error=None,
        traceback=None,
        queued_at=NOW,
        started_at=NOW,
        ended_at=NOW,
    )


def trial(number: int = 0, *attempts: AttemptView, epochs: int | None = None) -> TrialView:
    return TrialView(
        number=number,
        step=4,
        round=1,
        pass_number=1,
        purpose=TrialPurpose.SEARCH,
        label="search",
        params={"lr": 0.1},
        seed=0,
        data_seed=0,
        state=TrialState.COMPLETE,
        cause=TrialCause.FINISHED,
        message=None,
        value=0.9,
        standard_error=0.01,
        best_epoch=epochs,
        num_epochs=epochs,
        iterations=None if epochs is None else 17 * epochs,
        seconds=1.0,
        engine="plain",
        engine_reason=None,
        num_together=1,
        evaluations=(),
        started_at=NOW,
        ended_at=NOW,
        attempts=attempts,
        at_best=(),
        snapshot_epoch=None,
        switched_off=(),
    )


@pytest.mark.parametrize(
    ("value", "error", "metric", "said"),
    [
        (0.97, 0.0043, "accuracy", "0.9616 to 0.9784"),
        (0.99, 0.01, "accuracy", "0.970 to 1.000, cut at 1, the highest there is"),
        (0.01, 0.01, "accuracy", "0.000 to 0.030, cut at 0, the lowest there is"),
        (1.0, 0.0, "accuracy", "not known"),
        (math.nan, 0.1, "accuracy", "not known"),
        (5.0, 1.0, "ppl", "3.0 to 7.0"),
    ],
)
def test_an_interval_ends_where_its_metric_does(
    value: float, error: float, metric: str, said: str
) -> None:
    assert interval(value, error, metric) == said


def test_attempts_are_told_rung_by_rung() -> None:
    done, lost, runs = AttemptState.SUCCEEDED, AttemptState.LOST, AttemptState.RUNNING
    found = rungs(trial(0, attempt(1, done), attempt(2, lost, 17), attempt(3, runs, 20), epochs=2))
    assert [rung.title for rung in found] == ["Rung 1, from the start", "Rung 2, on from 1 epoch"]
    assert [[a.number for a in rung.attempts] for rung in found] == [[1], [2, 3]]
    alone = rungs(trial(0, attempt(1, lost), attempt(2, done)))
    assert [rung.title for rung in alone] == [""]
    assert rungs(trial()) == []


def test_trials_that_came_equally_far_make_a_part() -> None:
    table = trial_table([trial(1, epochs=5), trial(2, epochs=5), trial(3, epochs=1)], by_rung=True)
    assert [part.title for part in table.parts] == ["trained 5 epochs", "trained 1 epoch"]
    assert table.names == ("lr",)
    assert trial_table([]).parts[0].trials == ()


def finding(code: str, severity: Severity, trial: int | None, confidence: float) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        confidence=confidence,
        sentence="It is so.",
        action="Do so.",
        source="method",
        trial=trial,
    )


def test_diagnoses_come_worst_first_and_then_most_frequent() -> None:
    found = diagnoses(
        [
            finding("healthy", Severity.INFO, 1, 0.8),
            finding("overfitting", Severity.WARNING, 3, 0.6),
            finding("overfitting", Severity.WARNING, 2, 0.9),
            finding("diverged", Severity.ERROR, None, 1.0),
            finding("underfitting", Severity.WARNING, 4, 0.5),
        ]
    )
    assert [each.code for each in found] == ["diverged", "overfitting", "underfitting", "healthy"]
    assert found[1].trials == (2, 3)
    assert found[1].confidence == "60% to 90%"
    assert found[0].trials == ()


def curve(metric: str, *values: float) -> CurveView:
    return CurveView(
        metric=metric, split="train", iterations=tuple(range(len(values))), values=values
    )


@pytest.mark.parametrize(
    ("last", "remark"),
    [(1e-3, ""), (1e-5, "small"), (0.5, "large"), (math.nan, "no number")],
)
def test_updates_far_from_the_usual_are_remarked_on(last: float, remark: str) -> None:
    curves = CurvesView(trial=0, curves=(curve("update_ratio/fc.weight", 1e-3, last),))
    (table,) = layer_tables(curves, None)
    (row,) = table.rows
    assert row.name == "fc.weight"
    assert row.cells[2].remark == remark


def test_layers_of_an_untrained_model_have_their_activations_and_gradients() -> None:
    empty = CurvesView(trial=0, curves=(curve("loss", 1.0),))
    found = initialisation()
    tables = layer_tables(empty, found)
    assert len(tables) == bool(found.layers) + bool(found.gradients)
    assert tables[0].rows[0].name == found.layers[0].name
    assert layer_tables(empty, None) == []


TOGETHER = Fusing(chunk=16, rates={"1": 10.0, "16": 24.0})
NO_RULE = Fusing(chunk=1, reason="LSTM has no batching rule")


@pytest.mark.parametrize(
    ("fields", "fusing", "said"),
    [
        (
            {"engine": "fused", "num_together": 16},
            TOGETHER,
            "Trained together with 15 others (fused).",
        ),
        (
            {"engine": "fused", "num_together": 2},
            TOGETHER,
            "Trained together with 1 other (fused).",
        ),
        ({"engine": "fused"}, TOGETHER, "Trained with no other beside it (fused)."),
        ({}, NO_RULE, "Trained alone: LSTM has no batching rule."),
        ({"engine_reason": "too large"}, TOGETHER, "Trained alone: too large."),
        ({}, TOGETHER, f"Trained alone: {NO_COMPANY}."),
        ({}, Fusing(chunk=1, reason=NOT_MEASURED), "Trained alone."),
        ({}, None, "Trained alone."),
        ({"engine": None, "num_together": None}, TOGETHER, ""),
        ({"iterations": 0}, NO_RULE, ""),
    ],
)
def test_a_trial_says_how_it_was_trained(
    fields: dict[str, object], fusing: Fusing | None, said: str
) -> None:
    trained = trial(0, epochs=2).model_copy(update=fields)
    assert how_trained(trained, fusing) == said
