"""The sick studies: what ails each, fixed before anything was measured.

The six of ``CALIBRATION`` are what the rules' actions were worked on with; ``REPORT`` holds
the twelve that are reported; ``FOLLOW_UP`` repeats, on other data, ailments of the twelve that
fell short. No ailment stands on the same data in two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.prescriptions.tasks import (
    Cancer,
    Curable,
    Diabetes,
    Digits,
    DigitsAttributes,
    DigitsHalves,
    DigitsParity,
    DigitsRows,
)
from recipes.space import ParameterValue

USUAL: Mapping[str, ParameterValue] = {
    "lr": 0.03,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "batch_size": 32,
    "init": "default",
    "width": 64,
    "dropout": 0.0,
    "standardise": False,
}
"""A setting that trains every base task well enough; a study changes one thing of it."""


@dataclass(frozen=True)
class SickStudy:
    """A study with one ailment.

    Attributes:
        name: What ails it.
        task: Makes it.
        params: What differs from ``USUAL``.
        epochs: Of every run.
        ailment: In words, for the table.
    """

    name: str
    ailment: str
    task: Callable[[], Curable]
    params: Mapping[str, ParameterValue] = field(default_factory=dict)
    epochs: int = 20

    @property
    def setting(self) -> dict[str, ParameterValue]:
        """Every hyperparameter's value."""
        return {**USUAL, **self.params}


def _deep(task: type[Curable], depth: int) -> Curable:
    made = task()
    made.depth = depth
    return made


def _dead() -> Curable:
    made = _deep(DigitsParity, 3)
    made.bias = -2.0
    return made


def _loud() -> Curable:
    made = DigitsParity()
    made.gain = 30.0
    return made


def _raw() -> Curable:
    made = Cancer()
    made.is_raw = True
    return made


REPORT: tuple[SickStudy, ...] = (
    SickStudy("rate_too_high", "learning rate 0.6, momentum 0.9", Digits, {"lr": 0.6}),
    SickStudy("rate_too_low", "learning rate 1e-4", DigitsParity, {"lr": 1e-4}),
    SickStudy("raw_inputs", "30 features from 0.001 to 4,000, as they are", _raw, {"lr": 0.01}),
    SickStudy("too_small", "3 hidden units a layer", Digits, {"width": 3}, epochs=30),
    SickStudy("over_regularised", "weight decay 0.1", DigitsHalves, {"weight_decay": 0.1}),
    SickStudy(
        "little_data",
        "120 samples, 256 hidden units a layer, no weight decay",
        lambda: Diabetes(120),
        {"width": 256, "weight_decay": 0.0},
        epochs=60,
    ),
    SickStudy(
        "batch_too_large",
        "batches of 1,024, so two iterations an epoch",
        Digits,
        {"batch_size": 1024},
        epochs=10,
    ),
    SickStudy(
        "bad_init",
        "five layers drawn with sd 0.01",
        lambda: _deep(Digits, 4),
        {"init": "small_normal"},
    ),
    SickStudy("too_few_epochs", "8 epochs", DigitsHalves, {"lr": 0.003}, epochs=8),
    SickStudy("momentum_high", "momentum 0.99", DigitsRows, {"momentum": 0.99, "lr": 0.1}),
    SickStudy("dead_relu", "biases start at -2", _dead),
    SickStudy(
        "wrong_schedule",
        "an inverse square root without a warm-up spends the rate at once",
        DigitsAttributes,
        {"schedule": "inverse_sqrt"},
    ),
)

CALIBRATION: tuple[SickStudy, ...] = (
    SickStudy("rate_too_high", "learning rate 10", DigitsAttributes, {"lr": 10.0}),
    SickStudy("rate_too_low", "learning rate 1e-5", Diabetes, {"lr": 1e-5}),
    SickStudy("over_regularised", "dropout 0.8", Digits, {"dropout": 0.8}),
    SickStudy(
        "batch_too_small", "batches of 2", DigitsHalves, {"batch_size": 2, "lr": 0.1}, epochs=12
    ),
    SickStudy("bad_init", "the last layer drawn 30 times too large", _loud),
    SickStudy("too_few_epochs", "8 epochs", DigitsRows, {"lr": 0.01}, epochs=8),
)

FOLLOW_UP: tuple[SickStudy, ...] = (
    SickStudy("rate_too_high", "learning rate 0.6, momentum 0.9", DigitsParity, {"lr": 0.6}),
    SickStudy("rate_too_high", "learning rate 1, momentum 0.9", DigitsAttributes, {"lr": 1.0}),
    SickStudy(
        "little_data",
        "100 samples, 256 hidden units a layer, no weight decay",
        lambda: Digits(100),
        {"width": 256, "weight_decay": 0.0},
        epochs=60,
    ),
    SickStudy(
        "little_data",
        "60 samples, 256 hidden units a layer, no weight decay",
        lambda: DigitsParity(60),
        {"width": 256, "weight_decay": 0.0},
        epochs=60,
    ),
    SickStudy(
        "bad_init",
        "five layers drawn with sd 0.01",
        lambda: _deep(DigitsParity, 4),
        {"init": "small_normal"},
    ),
)
"""Made after the twelve had been seen once: ailments that had fallen short, on other data."""
