"""Studies: create, list, look at, pause, resume, cancel; their reports."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from recipes.study import MAX_NAME, StudyConfig, StudyState
from service.api.conditional import Unchanged
from service.api.dependencies import (
    ContextOf,
    Cursor,
    Identifier,
    Limit,
    Origin,
    ReadSession,
    WriteSession,
)
from service.api.routing import router
from service.errors import InvalidInput
from service.streams import events
from service.use_cases import deletion, studies
from service.use_cases.task_policy import check_new_task
from service.views import reports
from service.views.models import StudyPage, StudyReport, StudyView
from service.views.report_markdown import markdown
from service.web.problems import documented
from service.web.wording import CONFIRM

routes = router("studies", keeps=True)


@routes.post("/studies", status_code=201, responses=documented(413))
def create_study(
    config: StudyConfig, response: Response, session: WriteSession, context: ContextOf
) -> StudyView:
    """Create a study. It starts by itself as soon as a worker is there.

    What can only be known from the task (names in `set`, `space` and `incumbent`) is checked
    once a worker has described it; a study that does not fit ends as `failed`, and says why.
    """
    check_new_task(config.task, context.settings, config.task_args)
    study = studies.create(session, config)
    response.headers["Location"] = f"/api/v1/studies/{study.id}"
    return study


@routes.get("/studies")
def list_studies(
    session: ReadSession,
    state: StudyState | None = None,
    q: Annotated[
        str, Query(max_length=200, description="Part of the name, the task or the id")
    ] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> StudyPage:
    """Studies, newest first."""
    return studies.list_studies(session, state=state, text=q, limit=limit, cursor=cursor)


@routes.get("/studies/{study}", responses=documented(404))
def get_study(study: Identifier, session: ReadSession, response: Response) -> StudyView:
    """A study: where it is, what its steps concluded so far.

    Its tag is weak: the seconds it has used, and those it will still take, go on without it.
    """
    found = studies.get(session, study)
    response.headers["ETag"] = f'W/"{found.version}.{events.latest(session, study)}"'
    return found


@routes.get("/studies/{study}/report.json", responses=documented(404))
def get_report(study: Identifier, session: ReadSession, origin: Origin) -> StudyReport:
    """Everything a study found out, as one document."""
    return reports.report(session, study, origin=origin)


@routes.get(
    "/studies/{study}/report.md",
    response_class=Response,
    responses={**documented(404), 200: {"content": {"text/markdown": {}}}},
)
def get_report_markdown(study: Identifier, session: ReadSession) -> Response:
    """The report to read: result, steps, what was tried, what helped, how to repeat."""
    text = markdown(reports.report(session, study))
    return Response(text, media_type="text/markdown; charset=utf-8")


@routes.post("/studies/{study}/pause", responses=documented(404, 409), dependencies=[Unchanged])
def pause_study(study: Identifier, session: WriteSession) -> StudyView:
    """Hand out no more of its work. Jobs that run go on to their end, and are kept."""
    return studies.pause(session, study)


@routes.post("/studies/{study}/resume", responses=documented(404, 409), dependencies=[Unchanged])
def resume_study(study: Identifier, session: WriteSession) -> StudyView:
    """Go on with a paused study from where it was."""
    return studies.resume(session, study)


@routes.post("/studies/{study}/cancel", responses=documented(404, 409), dependencies=[Unchanged])
def cancel_study(study: Identifier, session: WriteSession) -> StudyView:
    """End a study. What it measured stays; running trials are told to stop."""
    return studies.cancel(session, study)


@routes.delete(
    "/studies/{study}",
    status_code=204,
    responses=documented(404, 409),
    dependencies=[Unchanged],
)
def delete_study(
    study: Identifier,
    session: WriteSession,
    confirm: Annotated[str, Query(max_length=MAX_NAME, description="The study's name")],
) -> None:
    """Delete a study that has ended, with all that it measured, for good."""
    if confirm != studies.get(session, study).name:
        raise InvalidInput("confirm", confirm, CONFIRM)
    deletion.delete_study(session, study)
