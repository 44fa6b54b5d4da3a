"""Pages for people. They read the same use cases as REST; their forms call the same, too."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service import events, studies, workers
from service.api.dependencies import ContextOf, Identifier, ReadSession
from service.clock import utc_now
from service.pages import actions, login, step_pages, trial_pages
from service.pages.api_docs import api_docs
from service.pages.choices import choices
from service.pages.format import STEP_NAMES, mark
from service.pages.forms import form_token
from service.pages.ladder import ladder
from service.pages.rendering import about, render
from service.pages.sentences import has_live_worker, now

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
for part in (login, step_pages, trial_pages, actions):
    routes.include_router(part.routes)

STUDIES_SHOWN = 50


@routes.get("/")
def home() -> Response:
    """The first page is the list of studies."""
    return RedirectResponse("/studies", status_code=303)


@routes.get("/studies")
def studies_page(
    request: Request,
    session: ReadSession,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """All studies, newest first."""
    page = studies.list_studies(session, state=None, limit=STUDIES_SHOWN, cursor=cursor)
    return render(request, "studies.html", section="studies", page=page, cursor=cursor)


@routes.get("/studies/{study_id}")
def study_page(
    request: Request, study_id: Identifier, session: ReadSession, context: ContextOf
) -> Response:
    """A study: where it is, what it found, and its ladder of seven steps."""
    sequence = events.latest(session, study_id)
    study = studies.get(session, study_id)
    reports = studies.steps(session, study_id)
    has_worker = has_live_worker(workers.list_workers(session, settings=context.settings))
    waits = not study.state.has_ended and study.state.value in ("pending", "running")
    return render(
        request,
        "study.html",
        **about(study_id),
        study=study,
        sequence=sequence,
        now_sentence=now(study, has_worker=has_worker),
        result=study.result,
        ladder=ladder(study, reports),
        choices=choices(study, reports),
        form_token=form_token(request),
        needs_worker=waits and not has_worker,
    )


@routes.get("/studies/{study_id}/report")
def report_page(request: Request, study_id: Identifier, session: ReadSession) -> Response:
    """Everything a study found out, on one page that prints."""
    study = studies.get(session, study_id)
    document = studies.report(session, study_id)
    reports = [r for r in document.steps if r.state.value != "stale"]
    return render(
        request,
        "report.html",
        **about(study_id),
        study=study,
        now_sentence=now(study, has_worker=True),
        result=study.result,
        reports=reports,
        last_passes={
            (r.number, r.round): (r.number, r.round, r.pass_number) for r in reports
        }.values(),
        has_rounds=any(report.round > 1 for report in reports),
        step_names=STEP_NAMES,
        counts=Counter(mark(trial.state).word for trial in document.trials),
        repeat=document.repeat,
    )


@routes.get("/workers")
def workers_page(request: Request, session: ReadSession, context: ContextOf) -> Response:
    """Who trains, and who was lost."""
    return render(
        request,
        "workers.html",
        section="workers",
        workers=workers.list_workers(session, settings=context.settings),
        at=utc_now(),
    )


@routes.get("/docs")
def docs_page(request: Request) -> Response:
    """The REST interface for people, made from its OpenAPI document."""
    docs = api_docs(request.app.openapi())
    return render(request, "docs.html", section="docs", docs=docs)
