"""What a reader may be told instead of guessing it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from recipes.task import Kind
from recipes.training_logs.errors import LogError
from recipes.training_logs.names import METRICS, Role, role_of
from recipes.value import Value

MAX_SAMPLES = 2**31 - 1


class LogOptions(Value):
    """Told, not guessed. Everything may be left out.

    Attributes:
        names: By column: ``val_accuracy``, ``train_loss``, ``epoch``, ``iteration``, ``lr``,
            ``run``, ``split`` or ``ignore``.
        num_val: Samples the validation metrics are over.
        num_train: Samples the train metrics are over.
        unit: Of accuracies and error rates.
        rows: What a row is, where no column says.
        schedule: How the learning rate went, where no column says.
        train_mode: ``eval`` where train metrics are of the finished epoch's model in eval mode.
    """

    names: dict[str, str] = Field(default_factory=dict)
    num_val: int | None = Field(default=None, ge=1, le=MAX_SAMPLES)
    num_train: int | None = Field(default=None, ge=1, le=MAX_SAMPLES)
    kind: Kind | None = None
    num_classes: int | None = Field(default=None, ge=2, le=10_000_000)
    direction: Literal["maximize", "minimize"] | None = None
    unit: Literal["fraction", "percent"] | None = None
    rows: Literal["epochs", "iterations"] | None = None
    lr: FiniteFloat | None = Field(default=None, gt=0)
    schedule: Literal["constant", "decayed"] | None = None
    train_mode: Literal["train", "eval"] = "train"


def told_role(column: str, target: str) -> Role:
    """The role that a person gives a column.

    Raises:
        LogError: The target is none; the message lists what is.
    """
    word = target.strip().lower()
    if word in ("ignore", "ignored", "none"):
        return Role("ignored")
    role = role_of("iteration" if word == "step" else word)
    if role.what == "ignored" or (role.what == "metric" and not role.is_clean):
        raise LogError(
            f"--map {column}={target}: {target!r} is no metric; give a split and one of "
            f"{', '.join(sorted(set(METRICS.values())))} (as in val_accuracy), or epoch, "
            "iteration, lr, run, split or ignore"
        )
    if role.metric == "error" and "rate" in word:
        return Role("metric", "error", role.split, is_rate=True)
    return role
