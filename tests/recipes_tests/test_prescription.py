"""Findings' changes carried out: bounds, ranges, what is free and what is not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from recipes.finding import Adjustment, Finding, Severity
from recipes.prescription import Setting, adjusted, first_prescription
from recipes.space import Categorical, Float, Int, SearchSpace

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True, hard=True),
        "momentum": Float(0.0, 0.99),
        "hidden": Int(8, 64, log=True),
        "layers": Int(1, 4),
        "batch_size": Int(8, 64, log=True, hard=True),
        "dropout_in": Float(0.0, 0.9),
        "activation": Categorical(["relu", "tanh"]),
    }
)
PARAMS = {
    "lr": 0.3,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "hidden": 48,
    "layers": 2,
    "batch_size": 32,
    "dropout_in": 0.6,
    "activation": "relu",
}
SETTING = Setting(params=PARAMS, epochs=20)


def after(*changes, setting=SETTING, space=SPACE):
    """What the changes made different, ``epochs`` included; None when nothing."""
    changed = adjusted(setting, changes, space)
    if changed is None:
        return None
    own = {**changed.params, "epochs": changed.epochs}
    before = {**setting.params, "epochs": setting.epochs}
    return {name: value for name, value in own.items() if before.get(name) != value}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Adjustment(name="lr", factor=10.0), {"lr": 3.0}),  # a soft range may be left
        (Adjustment(name="lr", factor=1 / 3), {"lr": 0.1}),
        (Adjustment(name="weight_decay", factor=10.0, least=1e-4), {"weight_decay": 1e-4}),
        (Adjustment(name="weight_decay", value=5.0), {"weight_decay": 0.1}),  # hard
        (Adjustment(name="weight_decay", factor=10.0), None),  # 0 stays 0
        (Adjustment(name="batch_size", factor=4.0), {"batch_size": 64}),
        (Adjustment(name="width", factor=2.0), {"hidden": 96}),
        (Adjustment(name="dropout", factor=1.5, most=0.8), {"dropout_in": 0.8}),
        (Adjustment(name="epochs", factor=2.0), {"epochs": 40}),
        (Adjustment(name="epochs", factor=100.0), {"epochs": 200}),
        (Adjustment(name="schedule", value="cosine"), {"schedule": "cosine"}),
        (Adjustment(name="warmup", value=0.05), {"warmup": 0.05}),
        (Adjustment(name="init", value="kaiming"), None),  # neither declared nor set
        (Adjustment(name="activation", factor=2.0), None),
        (Adjustment(name="unheard_of", value=1), None),
    ],
)
def test_a_change_is_made_as_far_as_it_may(change, expected):
    assert after(change) == expected


def test_momentum_stays_below_one():
    assert 0.9 < after(Adjustment(name="momentum", factor=2.0))["momentum"] < 1.0


def test_what_the_setting_names_is_free_without_a_space():
    empty = SearchSpace({})
    assert after(Adjustment(name="lr", factor=0.5), space=empty) == {"lr": 0.15}
    given = Setting(params={**PARAMS, "init": "default"}, epochs=1)
    assert after(Adjustment(name="init", value="kaiming"), setting=given) == {"init": "kaiming"}


def test_changes_that_can_be_made_are_made_together():
    changes = (
        Adjustment(name="init", value="kaiming"),
        Adjustment(name="lr", factor=0.5),
        Adjustment(name="epochs", factor=2.0),
    )
    assert after(*changes) == {"lr": 0.15, "epochs": 40}


def test_a_run_that_is_long_already_is_not_cut():
    longer = Setting(params=PARAMS, epochs=500)
    assert adjusted(longer, (Adjustment(name="epochs", factor=2.0),), SPACE) is None


@pytest.mark.parametrize("fields", [{}, {"value": 1, "factor": 2.0}, {"factor": 0.0}])
def test_an_adjustment_says_one_thing(fields):
    with pytest.raises(ValidationError):
        Adjustment(name="lr", **fields)


def finding(code, severity, *changes):
    return Finding(
        code=code,
        severity=severity,
        confidence=0.8,
        sentence="It is so.",
        action="Do it.",
        changes=changes,
        source="here",
    )


def test_the_first_change_that_can_be_made_is_the_prescription():
    lower, wider = Adjustment(name="lr", factor=0.1), Adjustment(name="width", factor=2.0)
    found = [
        finding("noisy_loss", Severity.INFO, wider),
        finding("class_imbalance", Severity.WARNING),
        finding("dead_relu", Severity.WARNING, Adjustment(name="init", value="kaiming")),
        finding("lr_too_high", Severity.WARNING, lower),
        finding("underfitting", Severity.WARNING, wider),
    ]
    prescription = first_prescription(found, SETTING, SPACE)

    assert prescription.code == "lr_too_high"
    assert prescription.place == 2
    assert prescription.setting.params == {**PARAMS, "lr": 0.03}
    assert first_prescription(found[:3], SETTING, SPACE) is None
