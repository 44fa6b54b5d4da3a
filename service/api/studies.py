"""Studies: create, list, look at, pause, resume, cancel; their reports."""

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
from service.report_markdown import markdown
from service.task_policy import check_task
from service.views import StudyPage, StudyReport, StudyView
from service.web.problems import documented

routes = router("studies")


@routes.post("/studies", status_code=201, responses=documented(413))
def create_study(
    config: StudyConfig, response: Response, session: WriteSession, context: ContextOf
) -> StudyView:
    """Create a study. It starts by itself as soon as a worker is there.

    What can only be known from the task (names in `set`, `space` and `incumbent`) is checked
    once a worker has described it; a study that does not fit ends as `failed`, and says why.
    """
    check_task(config.task, context.settings, config.task_args)
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


@routes.get(
    "/studies/{study}/report.md",
    response_class=Response,
    responses={**documented(404), 200: {"content": {"text/markdown": {}}}},
)
def get_report_text(study: Identifier, session: ReadSession) -> Response:
    """The report to read: result, steps, what was tried, what helped, how to repeat."""
    text = markdown(reports.report(session, study))
    return Response(text, media_type="text/markdown; charset=utf-8")


@routes.post("/studies/{study}/pause", responses=documented(404, 409))
def pause_study(study: Identifier, session: WriteSession) -> StudyView:
    """Hand out no more of its work. Jobs that run go on to their end, and are kept."""
    return studies.pause(session, study)


@routes.post("/studies/{study}/resume", responses=documented(404, 409))
def resume_study(study: Identifier, session: WriteSession) -> StudyView:
    """Go on with a paused study from where it was."""
    return studies.resume(session, study)


@routes.post("/studies/{study}/cancel", responses=documented(404, 409))
def cancel_study(study: Identifier, session: WriteSession) -> StudyView:
    """End a study. What it measured stays; running trials are told to stop."""
    return studies.cancel(session, study)
