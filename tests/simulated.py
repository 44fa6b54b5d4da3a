"""A whole study of a function: the real steps and rules on planted training curves.

What a setting is worth, by epoch and seed, is given; so a planted truth can be looked for.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from recipes.curve import Curve, CurveKey
from recipes.description import SplitDescription, TaskDescription
from recipes.outcome import Evaluation, MemberOutcome, Moments
from recipes.run import MemberSpec, RunSpec
from recipes.search.allowance import iterations_per_epoch
from recipes.seeds import derive_seed
from recipes.space import ParameterValue, SearchSpace
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import description as healthy_description
from tests.whole_study import Trained, WholeStudy

Accuracy = Callable[[Mapping[str, ParameterValue], float, int], float]
"""(setting, share of an infinitely long training done, seed) -> true accuracy; NaN: diverges."""

EPOCHS_TO_LEARN = 4.0
"""Epochs after which 1 - 1/e of what there is to learn is learned."""


def task(space: SearchSpace, **changes: Any) -> TaskDescription:
    """A ten-class task with 2,000 validation and 2,000 test samples."""
    fields: dict[str, Any] = {
        "space": space,
        "splits": (
            SplitDescription(name="train", num_samples=6_400, origin="task"),
            SplitDescription(name="val", num_samples=2_000, origin="task"),
            SplitDescription(name="test", num_samples=2_000, origin="task"),
        ),
    }
    return healthy_description(**{**fields, **changes})


class Simulated(WholeStudy):
    """A study of steps 4 to 7 whose accuracies follow a function.

    Args:
        accuracy: The planted truth.
        space: What varies.
        seed_sd: Of the accuracy, between seeds.
        seconds_per_epoch: What training is said to cost.
        config: Fields of the study's config.
    """

    def __init__(
        self,
        accuracy: Accuracy,
        space: SearchSpace,
        *,
        seed_sd: float = 0.002,
        seconds_per_epoch: float = 0.01,
        slots: int = 1,
        **config: Any,
    ) -> None:
        super().__init__(task(space), slots=slots, **{"steps": (4, 5, 6, 7), **config})
        self.accuracy = accuracy
        self.seed_sd = seed_sd
        self.seconds_per_epoch = seconds_per_epoch
        self.trained_seconds = 0.0

    def wall_seconds(self) -> float:
        """What the training done so far is said to have taken."""
        return self.trained_seconds / self.slots

    def train_members(self, run: RunSpec, continued: set[int]) -> list[Trained]:
        """Planted curves, the same however often they are paused."""
        return [self._train_one(run, member) for member in run.members]

    def _train_one(self, run: RunSpec, member: MemberSpec) -> Trained:
        if len(member.snapshots) > 1:
            return self._average(run, member)
        until = run.until_epoch or run.epochs or 0
        before = self.trials.get(member.trial)
        done = 0 if before is None else len(before.outcome.on("val")) - 1
        seconds = (until - done) * self.seconds_per_epoch
        self.trained_seconds += seconds
        spread = self.seed_sd * np.random.default_rng(member.seed).standard_normal()
        values = [
            self.accuracy(member.params, 1 - math.exp(-epoch / EPOCHS_TO_LEARN), member.seed)
            for epoch in range(until + 1)
        ]
        per_epoch = iterations_per_epoch(self.description, member.params)
        diverged = next((at for at, value in enumerate(values) if math.isnan(value)), None)
        if diverged is not None:
            values = values[:diverged]
        evaluations = tuple(
            self._evaluation(split, epoch * per_epoch, value + (spread if epoch else 0.0), member)
            for epoch, value in enumerate(values)
            for split in ("train", "val")
        )
        best = max(range(1, len(values)), key=lambda at: values[at], default=0)
        state, cause = TrialState.COMPLETE, TrialCause.FINISHED
        if diverged is not None:
            cause = TrialCause.DIVERGED
        elif run.until_epoch is not None:
            state, cause = TrialState.WAITING, None  # type: ignore[assignment]
        outcome = MemberOutcome(
            trial=member.trial,
            state=state,
            cause=cause,
            iterations=max(0, len(values) - 1) * per_epoch,
            evaluations=evaluations,
            at_best=tuple(
                self._evaluation(split, best * per_epoch, values[best] + spread, member)
                for split in run.evaluate_at_best
                if len(values) > 1 and state is TrialState.COMPLETE
            ),
            snapshot_epoch=best if run.keep_snapshot and len(values) > 1 else None,
            seconds=seconds + (0.0 if before is None else before.outcome.seconds),
        )
        return Trained(outcome, self._curves(evaluations))

    def _average(self, run: RunSpec, member: MemberSpec) -> Trained:
        """A little better than the best of its models."""
        singles = [self.trials[number].outcome.on("val")[-1] for number in member.snapshots]
        accuracy = max(each.metrics["accuracy"].mean for each in singles) + 0.005
        outcome = MemberOutcome(
            trial=member.trial,
            state=TrialState.COMPLETE,
            cause=TrialCause.FINISHED,
            iterations=0,
            evaluations=(self._evaluation("val", 0, accuracy, member),),
            at_best=tuple(
                self._evaluation(split, 0, accuracy, member) for split in run.evaluate_at_best
            ),
            seconds=0.0,
        )
        return Trained(outcome, {})

    def _evaluation(
        self, split: str, iteration: int, accuracy: float, member: MemberSpec
    ) -> Evaluation:
        """Which samples are right: the easiest first, with some luck of the run's own."""
        n = self.description.split(split).num_samples if split != "train" else 2_000
        difficulty = np.random.default_rng(derive_seed("difficulty", split)).random(n)
        luck = np.random.default_rng([member.seed, iteration, len(split)]).standard_normal(n)
        order = difficulty + 0.1 * luck
        count = round(min(max(accuracy, 0.0), 1.0) * n)
        right = np.zeros(n, dtype=bool)
        right[np.argsort(order)[:count]] = True
        loss = 2.3 * (1 - accuracy)
        return Evaluation(
            split=split,
            iteration=iteration,
            metrics={
                "loss": Moments(total=loss * n, total_squares=n * (loss * loss + 0.25), n=n),
                "accuracy": Moments(total=float(count), total_squares=float(count), n=n),
            },
            correct=base64.b64encode(np.packbits(right).tobytes()).decode(),
        )

    def _curves(self, evaluations: tuple[Evaluation, ...]) -> dict[CurveKey, Curve]:
        train = [each for each in evaluations if each.split == "train"]
        return {
            ("loss", "train"): Curve(
                tuple(each.iteration for each in train), tuple(each.loss.mean for each in train)
            )
        }
