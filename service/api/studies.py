"""Studies: create, list, look at, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from recipes.study import StudyConfig, StudyState
from service import reports, studies
from service.api.dependencies import (
    PAGE_LIMIT,
    ContextOf,
    Identifier,
    ReadSession,
    WriteSession,
)
from service.api.routing import router
from service.task_policy import check_task
from service.views import StudyPage, StudyReport, StudyView
from service.web.problems import documented

routes = router("studies")


@routes.post("/studies", status_code=201, responses=documented(413))
def create_study(
    config: StudyConfig, response: Response, session: WriteSession, context: ContextOf
) -> StudyView:
    """Create a study. It starts by itself as soon as a worker is there.

    What can only be known from the task (names in `set` and `space`) is checked once a
    worker has described it; a study that does not fit ends as `failed`, and says why.
    """
    check_task(config.task, context.settings)
    study = studies.create(session, config)
    response.headers["Location"] = f"/api/v1/studies/{study.id}"
    return study


@routes.get("/studies")
def list_studies(
    session: ReadSession,
    state: StudyState | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> StudyPage:
    """Studies, newest first."""
    return studies.list_studies(session, state=state, limit=limit, cursor=cursor)


@routes.get("/studies/{study}", responses=documented(404))
def get_study(study: Identifier, session: ReadSession) -> StudyView:
    """A study: where it is, what its steps concluded so far."""
    return studies.get(session, study)


@routes.get("/studies/{study}/report.json", responses=documented(404))
def get_report(study: Identifier, session: ReadSession) -> StudyReport:
    """Everything a study found out, as one document."""
    return reports.report(session, study)


@routes.post("/studies/{study}/cancel", responses=documented(404, 409))
def cancel_study(study: Identifier, session: WriteSession) -> StudyView:
    """End a study. What it measured stays; running trials are told to stop."""
    return studies.cancel(session, study)
