"""Trials as they are answered."""

from __future__ import annotations

import json
from collections.abc import Iterable

from recipes.description import TaskDescription
from recipes.outcome import Evaluation, MemberOutcome
from service.database.models import StepRun, Trial
from service.repositories.stored import outcome_of, scored
from service.views.models import EvaluationView, MetricView, TrialSummary


def outcome(trial: Trial) -> MemberOutcome | None:
    """How a trial ended, or how far it came before the rung it waits at."""
    return None if trial.outcome is None else outcome_of(trial.outcome)


def summary(trial: Trial, run: StepRun, description: TaskDescription | None) -> TrialSummary:
    """A trial as a line of a list.

    Args:
        trial: Which.
        run: The step run it belongs to.
        description: Says which metric decides; None before the task is described.
    """
    found = outcome(trial)
    best = scored(found, description) if found is not None and description is not None else None
    # A run told in iterations has evaluations too, but not one an epoch.
    in_epochs = (
        best is not None
        and found is not None
        and found.iterations == best.epochs * trial.epoch_iterations
    )
    return TrialSummary(
        number=trial.number,
        step=run.number,
        round=run.round,
        pass_number=run.pass_number,
        purpose=trial.purpose,
        label=trial.label,
        params=json.loads(trial.params),
        seed=trial.seed,
        data_seed=trial.data_seed,
        state=trial.state,
        cause=trial.cause,
        message=found.message if found else None,
        value=best.value if best else None,
        standard_error=best.standard_error if best else None,
        best_epoch=best.epoch if best and in_epochs else None,
        num_epochs=best.epochs if best and in_epochs else None,
        iterations=found.iterations if found else None,
        seconds=found.seconds if found else None,
        engine=found.engine if found else None,
        engine_reason=trial.engine_reason if found else None,
        num_together=found.num_together if found else None,
        evaluations=evaluations(_last_on_each_split(found)) if found else (),
        started_at=trial.started_at,
        ended_at=trial.ended_at,
    )


def evaluations(found: Iterable[Evaluation]) -> tuple[EvaluationView, ...]:
    """Evaluations as they are answered: means with standard errors, no bitmaps."""
    return tuple(
        EvaluationView(
            split=evaluation.split,
            iteration=evaluation.iteration,
            metrics={
                name: MetricView(mean=m.mean, standard_error=m.standard_error, n=m.n)
                for name, m in evaluation.metrics.items()
            },
        )
        for evaluation in found
    )


def _last_on_each_split(found: MemberOutcome) -> list[Evaluation]:
    return list({evaluation.split: evaluation for evaluation in found.evaluations}.values())
