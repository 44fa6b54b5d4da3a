"""Everything one member has measured so far, and how it becomes its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from recipes.outcome import Evaluation, Initialisation, MemberOutcome, ModeLosses
from recipes.run import RunSpec
from recipes.trial import TrialCause, TrialState
from worker.training.best import Objective
from worker.training.checkpoint import Progress
from worker.training.curves import Curves
from worker.training.reporting import Reporter
from worker.training.stops import StopRule

STATES = {
    TrialCause.FINISHED: TrialState.COMPLETE,
    TrialCause.DIVERGED: TrialState.COMPLETE,
    TrialCause.NON_FINITE: TrialState.COMPLETE,
    TrialCause.EARLY_DISCARD: TrialState.PRUNED,
    TrialCause.ERROR: TrialState.FAILED,
    TrialCause.OUT_OF_MEMORY: TrialState.FAILED,
}
"""The state that follows from a cause. Divergence is a result."""

EVALUATED_PREFIX = {"train": "eval_"}
"""The train loss in eval mode is another curve than the train loss of the iterations."""


class Record:
    """One member's measurements. It is there before the model is, and outlives its failure.

    Attributes:
        iterations: Optimiser steps done, as far as they count.
        at_best: Evaluations with the best epoch's weights.
        snapshot_epoch: The epoch whose weights were left as an artifact.
        note: What could not be measured of a member that did not fail, and why.
        engine: How it is trained.
        engine_reason: Why alone, where it was to train together with others.
        num_together: How many it trains together with, itself included.
    """

    def __init__(
        self,
        run: RunSpec,
        trial: int,
        report: Reporter,
        objective: Objective,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._run = run
        self._trial = trial
        self._report = report
        self._objective = objective
        self._progress = progress
        self._clock: Callable[[], float] = time.monotonic
        self._started_at = self._clock()
        self._evaluations = list(progress.evaluations) if progress else []
        self._switched_off: tuple[str, ...] = ()
        self._sample_digest: str | None = None
        self._curves: Curves | None = None
        self.iterations = progress.iteration if progress else 0
        self.initialisation: Initialisation | None = progress.initialisation if progress else None
        self.dead_share: float | None = None
        self.saturated_share: float | None = None
        self.mode_losses: ModeLosses | None = None
        self.at_best: tuple[Evaluation, ...] = ()
        self.snapshot_epoch: int | None = None
        self.note: str | None = None
        self.engine: Literal["plain", "fused"] = "plain"
        self.engine_reason: str | None = None
        self.num_together = 1
        self.stop_rule = (
            StopRule(run, losses=progress.recent_losses, num_below=progress.num_below)
            if progress
            else StopRule(run)
        )

    def begin(
        self, *, num_iterations: int, sample_digest: str, switched_off: tuple[str, ...]
    ) -> None:
        """What is known once the member is built; points can be taken from now on."""
        self._sample_digest = sample_digest
        self._switched_off = switched_off
        self._curves = Curves(
            self._report,
            self._trial,
            num_iterations=num_iterations,
            pending=self._progress.pending if self._progress else None,
        )

    def use_clock(self, clock: Callable[[], float]) -> None:
        """Count the seconds from now on by a clock that members who train together share."""
        self._clock = clock
        self._started_at = clock()

    @property
    def curves(self) -> Curves:
        """The member's curves, once ``begin`` was called."""
        assert self._curves is not None
        return self._curves

    def add_iteration(
        self, iteration: int, loss: float, accuracy: float | None, internals: dict[str, float]
    ) -> TrialCause | None:
        """One iteration's train measurements; returns why the member ends with it, if it does."""
        self.curves.add_step("loss", iteration, loss)
        if accuracy is not None:
            self.curves.add_step("accuracy", iteration, accuracy)
        for metric, value in internals.items():
            self.curves.add_step(metric, iteration, value, every=self._run.internals_every or 1)
        self.iterations = iteration + 1
        return self.stop_rule.judge(loss, all_right=accuracy is None or accuracy == 1.0)

    def add_evaluation(self, evaluation: Evaluation) -> int:
        """An evaluation, and its means as points.

        Returns:
            Its place among those of its split: with epochs, the epoch.
        """
        self._evaluations.append(evaluation)
        self._drop_bitmaps()
        prefix = EVALUATED_PREFIX.get(evaluation.split, "")
        for metric, moments in evaluation.metrics.items():
            self.curves.add(prefix + metric, evaluation.split, evaluation.iteration, moments.mean)
        return sum(each.split == evaluation.split for each in self._evaluations) - 1

    def evaluated_at(self, iteration: int) -> bool:
        """Whether the splits were evaluated after that many steps already."""
        return any(each.iteration == iteration for each in self._evaluations)

    def progress(self, *, epoch: int) -> Progress:
        """What a checkpoint keeps of this, at the end of ``epoch`` epochs."""
        return Progress(
            epoch=epoch,
            iteration=self.iterations,
            seconds=self._seconds(),
            evaluations=tuple(self._evaluations),
            initialisation=self.initialisation,
            recent_losses=self.stop_rule.losses,
            num_below=self.stop_rule.num_below,
            pending=self.curves.pending(),
        )

    def pause(self) -> MemberOutcome:
        """Send the points so far, and sum up for a rung's judge. Open blocks stay open."""
        self.curves.flush()
        return self._outcome(TrialState.WAITING, None)

    def close(self, cause: TrialCause, *, message: str | None = None) -> MemberOutcome:
        """Send the last points and sum up."""
        if self._curves is not None:
            self._curves.close()
        return self._outcome(STATES[cause], cause, message=message)

    def _outcome(
        self, state: TrialState, cause: TrialCause | None, *, message: str | None = None
    ) -> MemberOutcome:
        return MemberOutcome(
            trial=self._trial,
            state=state,
            cause=cause,
            iterations=self.iterations,
            evaluations=tuple(self._evaluations),
            at_best=self.at_best,
            snapshot_epoch=self.snapshot_epoch,
            initialisation=self.initialisation,
            sample_digest=self._sample_digest,
            dead_share=self.dead_share,
            saturated_share=self.saturated_share,
            mode_losses=self.mode_losses,
            switched_off=self._switched_off,
            seconds=self._seconds(),
            message=self.note if message is None else message,
            engine=self.engine,
            engine_reason=self.engine_reason,
            num_together=self.num_together,
        )

    def _drop_bitmaps(self) -> None:
        """Keep ``correct`` where paired tests look: the best and the last validation.

        An outcome holds an evaluation of every epoch; with all their bitmaps it would be
        too large to send and to store.
        """
        on_val = [each for each in self._evaluations if each.split == "val"]
        best = self._objective.best_epoch(on_val)
        kept = {id(each) for each in on_val[-1:] + ([] if best is None else [on_val[best]])}
        self._evaluations = [
            each
            if each.correct is None or id(each) in kept
            else each.model_copy(update={"correct": None})
            for each in self._evaluations
        ]

    def _seconds(self) -> float:
        before = self._progress.seconds if self._progress else 0.0
        return before + self._clock() - self._started_at
