"""A study's report as one document, and what of it equal studies share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from recipes.result import Result
from recipes.space import SearchSpace
from recipes.step import StepKind, StepReport
from service.repositories import step_runs, studies, workers
from service.repositories.stored import config_of, description_of, result_of
from service.use_cases import trials
from service.views.models import RoundView, StudyReport
from service.views.repeat import repeat
from service.views.step_views import step_views
from service.views.study_views import budgets, problem

FIRST_SEARCH = StepKind.COARSE_SEARCH.number
"""From this step on there are rounds to tell of."""


def report(session: Session, uid: str, *, origin: str | None = None) -> StudyReport:
    """Everything a study found out so far.

    Args:
        session: Any session.
        uid: The study.
        origin: How the service is reached, for the commands of actions; None: without them.

    Raises:
        NotFound: There is no such study.
    """
    study = studies.require(session, uid)
    config = config_of(study.config)
    result = None if study.result is None else result_of(study.result)
    described = None if study.description is None else description_of(study.description)
    runs = step_runs.of_study(session, study.id)
    return StudyReport(
        id=study.uid,
        name=study.name,
        state=study.state,
        reason=study.reason,
        task=config.task,
        task_args=config.task_args,
        set=config.set,
        space=None if study.space is None else SearchSpace.model_validate_json(study.space),
        seed=study.seed,
        incumbent_setting=config.incumbent,
        digest=study.digest,
        description=described,
        fusing_sentence=None if described is None else described.how_trained,
        problem=problem(study),
        best=result.best if result else None,
        incumbent=result.incumbent if result else None,
        test=result.test if result else None,
        not_tried=result.not_tried if result else (),
        rounds=rounds(step_runs.judged(runs), result),
        budget=budgets(session, [study])[study.id],
        steps=tuple(step_views(session, study, runs, runs, origin=origin)),
        findings=tuple(step_runs.findings(session, study.id)),
        trials=tuple(trials.summaries(session, study)),
        repeat=repeat(
            config, digest=study.digest, workers=workers.versions_of_study(session, study.id)
        ),
        created_at=study.created_at,
        started_at=study.started_at,
        finished_at=study.finished_at,
    )


def rounds(history: Sequence[StepReport], result: Result | None) -> tuple[RoundView, ...]:
    """What each round of the loop changed and what came of it, by the reports that hold."""
    searched = [each for each in history if each.number >= FIRST_SEARCH]
    found = []
    for number in sorted({each.round for each in searched}):
        bests = [
            each.result.best
            for each in searched
            if each.round == number and each.result is not None
        ]
        hypotheses = result.hypotheses if result else ()
        effects = result.effects if result else ()
        found.append(
            RoundView(
                round=number,
                hypothesis=next((each for each in hypotheses if each.round == number), None),
                effect=next((each for each in effects if each.hypothesis.round == number), None),
                best=bests[-1] if bests else None,
            )
        )
    return tuple(found)


NEVER_COMPARED = {
    *("id", "problem", "device", "versions"),
    *("measured", "seconds", "wall_seconds", "device_seconds", "curl"),
    *("fusing", "fusing_sentence", "engine", "engine_reason", "num_together", "memory_format"),
    *(f"{what}_at" for what in ("created", "started", "ended", "finished")),
}
"""Fields that differ between equal studies: identities, moments, durations, prices, machines,
how a machine trains trials best, and commands, which hold the study's id."""


def comparable(study_report: StudyReport) -> dict[str, Any]:
    """A report without what may differ between two studies that should be equal.

    What is left (trials, seeds, settings, values, verdicts, findings, the chosen trial, what
    the loop tried) is equal, bit for bit, when both trained plainly on one kind of CPU under
    the same budget in trials or epochs.
    """
    # The study's own name; further in, a name is a hyperparameter's or a layer's.
    named: dict[str, Any] = {"name": True, "repeat": {"config": {"name"}}}
    stripped = _strip(study_report.model_dump(mode="json", exclude=named))
    assert isinstance(stripped, dict)
    return stripped


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if key not in NEVER_COMPARED}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value
