"""A study's report as one document, and what of it equal studies share."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from recipes.description import TaskDescription, TaskProblem
from recipes.space import SearchSpace
from recipes.study import StudyConfig
from service import trials
from service.repositories import step_runs, studies
from service.views import StudyReport


def report(session: Session, uid: str) -> StudyReport:
    """Everything a study found out so far. Raises NotFound."""
    study = studies.require(session, uid)
    config = StudyConfig.model_validate_json(study.config)
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
        digest=study.digest,
        description=(
            None
            if study.description is None
            else TaskDescription.model_validate_json(study.description)
        ),
        problem=(
            None if study.problem is None else TaskProblem.model_validate_json(study.problem)
        ),
        steps=tuple(step_runs.view(run) for run in step_runs.of_study(session, study.id)),
        findings=tuple(step_runs.findings(session, study.id)),
        trials=tuple(trials.summaries(session, study.id)),
        created_at=study.created_at,
        started_at=study.started_at,
        finished_at=study.finished_at,
    )


NEVER_COMPARED = {"id", "name", "measured", "seconds", "device", "problem"} | {
    f"{what}_at" for what in ("created", "started", "ended", "finished")
}
"""Fields that differ between equal studies: names, moments, durations, the machine."""


def comparable(study_report: StudyReport) -> dict[str, Any]:
    """A report without what may differ between two studies that should be equal.

    What is left is equal, bit for bit, when both trained plainly on one kind of CPU.
    """
    stripped = _strip(study_report.model_dump(mode="json"))
    assert isinstance(stripped, dict)
    return stripped


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if key not in NEVER_COMPARED}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value
