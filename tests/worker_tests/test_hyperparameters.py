from __future__ import annotations

import math

import pytest

from recipes.errors import InvalidSetting
from recipes.task import RESERVED_PARAMETERS
from recipes.trainer_settings import INIT_NAMES, LIMITS, OPTIMIZER_NAMES, SCHEDULE_NAMES
from worker.training.defaults import DEFAULT_PARAMS
from worker.training.hyperparameters import Hyperparameters
from worker.training.initialisation import INITIALISATIONS
from worker.training.optimizers import OPTIMIZERS
from worker.training.schedules import SCHEDULES


def test_defaults_fill_in_what_a_setting_lacks() -> None:
    read = Hyperparameters.from_params({})

    assert read.optimizer.name == DEFAULT_PARAMS["optimizer"] == "sgd"
    assert read.optimizer.momentum == 0.9
    assert read.batch_size == 64
    assert Hyperparameters.from_params(DEFAULT_PARAMS) == read


def test_other_names_are_the_models_own() -> None:
    assert Hyperparameters.from_params({"hidden": -3}) == Hyperparameters.from_params({})


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "adamw", "adagrad"])
def test_momentum_is_sgds_by_default(optimizer: str) -> None:
    assert Hyperparameters.from_params({"optimizer": optimizer}).optimizer.momentum == 0
    given = Hyperparameters.from_params({"optimizer": optimizer, "momentum": 0.5})
    assert given.optimizer.momentum == 0.5


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        ("lr", 0.0, "above 0"),
        ("lr", -1, "above 0"),
        ("lr", math.nan, "finite"),
        ("lr", math.inf, "finite"),
        ("lr", "0.1", "finite number"),
        ("lr", True, "finite number"),
        ("weight_decay", -1e-4, "0 or more"),
        ("momentum", 1.0, "below 1"),
        ("beta1", 1.0, "below 1"),
        ("beta2", -0.1, "0 or more and below 1"),
        ("optimizer", "sdg", "choose one of sgd, adagrad, rmsprop, adam, adamw"),
        ("optimizer", 3, "choose one of"),
        ("batch_size", 0, "whole number of 1 or more"),
        ("batch_size", -4, "whole number of 1 or more"),
        ("batch_size", 12.5, "whole number of 1 or more"),
        ("schedule", "poly", "choose one of constant, step, cosine, linear, inverse_sqrt"),
        ("warmup", -0.1, "0 or more"),
        ("grad_clip", -1.0, "0 or more"),
        ("label_smoothing", 1.0, "below 1"),
        ("init", "he", "choose one of default, kaiming, xavier, small_normal"),
        ("nesterov", 1, "true or false"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_cure(
    field: str, value: object, cure: str
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Hyperparameters.from_params({field: value})
    assert (caught.value.field, str(caught.value).startswith(f"{field}: {value!r}")) == (
        field,
        True,
    )
    assert cure in caught.value.cure


def test_regularisation_off_says_what_was_on() -> None:
    read = Hyperparameters.from_params({"weight_decay": 1e-4, "label_smoothing": 0.1})
    bare, switched_off = read.without_regularisation()

    assert (bare.optimizer.weight_decay, bare.label_smoothing) == (0, 0)
    assert switched_off == ("weight_decay=0.0001", "label_smoothing=0.1")
    assert bare.without_regularisation() == (bare, ())


def test_what_may_be_named_is_what_there_is() -> None:
    assert set(LIMITS) == RESERVED_PARAMETERS == set(DEFAULT_PARAMS)
    assert list(OPTIMIZER_NAMES) == list(OPTIMIZERS)
    assert list(SCHEDULE_NAMES) == list(SCHEDULES)
    assert list(INIT_NAMES) == list(INITIALISATIONS)
