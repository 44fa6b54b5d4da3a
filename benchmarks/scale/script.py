"""A worker that trains nothing: accuracies by a formula, so that studies are made fast."""

from __future__ import annotations

import base64
import math

import numpy as np

from recipes.curve import CurveBlock
from recipes.description import TaskDescription
from recipes.outcome import Evaluation, MemberOutcome, Moments
from recipes.run import MemberSpec, RunSpec
from recipes.search.allowance import iterations_per_epoch
from recipes.trial import TrialCause, TrialState
from service.dispatch.scripted import Answer
from tests.recipes_tests.builders import description

SAMPLES = 300
"""Of the validation split, as the description says."""
BEST_LOG_RATE = -1.5
SPREAD = 0.01
"""Standard deviation of the accuracy between seeds."""


class Formula:
    """Accuracy rises with the epochs, towards what the learning rate allows."""

    def __init__(self) -> None:
        self.description: TaskDescription = description()

    def describe(self) -> TaskDescription:
        """Ten classes, three hyperparameters."""
        return self.description

    def train(self, run: RunSpec, member: MemberSpec) -> Answer:
        """One member, up to its rung."""
        if len(member.snapshots) > 1:
            return Answer(self._outcome(member, 0, TrialState.COMPLETE))
        epochs = run.until_epoch or run.epochs or 0
        is_paused = run.until_epoch is not None
        outcome = self._outcome(
            member, epochs, TrialState.WAITING if is_paused else TrialState.COMPLETE
        )
        if run.keep_snapshot:
            outcome = outcome.model_copy(update={"snapshot_epoch": epochs})
        return Answer(outcome, (self._losses(outcome),))

    def _outcome(self, member: MemberSpec, epochs: int, state: TrialState) -> MemberOutcome:
        per_epoch = iterations_per_epoch(self.description, member.params)
        rate = math.log10(float(member.params["lr"]))
        luck = SPREAD * np.random.default_rng(member.seed).standard_normal()
        limit = 0.95 * math.exp(-(((rate - BEST_LOG_RATE) / 2) ** 2)) + luck
        evaluations = tuple(
            self._evaluation(
                split,
                epoch * per_epoch,
                0.1 + limit * (1 - math.exp(-epoch / 4)),
                is_kept=split == "val" and epoch == epochs,
            )
            for epoch in range(epochs + 1)
            for split in ("train", "val")
        )
        return MemberOutcome(
            trial=member.trial,
            state=state,
            cause=None if state is TrialState.WAITING else TrialCause.FINISHED,
            iterations=epochs * per_epoch,
            evaluations=evaluations,
            seconds=0.01 * epochs,
        )

    def _evaluation(
        self, split: str, iteration: int, accuracy: float, *, is_kept: bool
    ) -> Evaluation:
        right = round(min(max(accuracy, 0.0), 1.0) * SAMPLES)
        loss = 2.3 * (1 - accuracy)
        bitmap = np.packbits(np.arange(SAMPLES) < right).tobytes()
        return Evaluation(
            split=split,
            iteration=iteration,
            metrics={
                "loss": Moments(
                    total=loss * SAMPLES, total_squares=SAMPLES * (loss * loss + 0.25), n=SAMPLES
                ),
                "accuracy": Moments(total=float(right), total_squares=float(right), n=SAMPLES),
            },
            correct=base64.b64encode(bitmap).decode() if is_kept else None,
        )

    def _losses(self, outcome: MemberOutcome) -> CurveBlock:
        iterations = tuple(range(0, outcome.iterations + 1, 4))
        values = tuple(2.3 * math.exp(-iteration / 100) for iteration in iterations)
        return CurveBlock(
            trial=outcome.trial, metric="loss", split="train", iterations=iterations, values=values
        )
