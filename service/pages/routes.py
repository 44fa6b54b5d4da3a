"""Pages for people. They read the same use cases as REST; their forms call the same, too."""

from __future__ import annotations

from collections import Counter
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from recipes.finding import Severity
from recipes.study import StudyState
from service.api.dependencies import ContextOf, Identifier, ReadSession
from service.errors import InvalidInput
from service.pages import (
    actions,
    finding_pages,
    login,
    new_study,
    step_pages,
    trial_pages,
    worker_pages,
)
from service.pages.access import may_write
from service.pages.api_docs import api_docs
from service.pages.choices import choices, commands
from service.pages.forms import form_token
from service.pages.happenings import lately
from service.pages.ladder import ladder
from service.pages.rendering import about, render
from service.pages.sentences import crew, has_live_worker, now
from service.pages.step_pages import best_first
from service.pages.trial_table import trial_table
from service.streams import events
from service.use_cases import studies, trials, workers
from service.views.format import STEP_NAMES, mark

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
# In this order: /studies/new is no study.
for part in (login, new_study, step_pages, trial_pages, worker_pages, finding_pages, actions):
    routes.include_router(part.routes)

STUDIES_SHOWN = 50
WAITING_SHOWN = 20
"""Most studies that wait for a person, above the others."""
BEST_SHOWN = 5


@routes.get("/")
def home() -> Response:
    """The first page is the list of studies."""
    return RedirectResponse("/studies", status_code=303)


@routes.get("/studies")
def studies_page(
    request: Request,
    session: ReadSession,
    state: Annotated[str, Query(max_length=20)] = "",
    q: Annotated[str, Query(max_length=100)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """All studies, newest first; on the first page those that wait for a person on top."""
    wanted, text = _state(state), q.strip()
    asks = StudyState.NEEDS_ACTION
    on_top = wanted is None and not text
    waiting = studies.list_studies(
        session, state=asks, limit=WAITING_SHOWN if on_top and cursor is None else 1
    )
    page = studies.list_studies(
        session,
        state=wanted,
        limit=STUDIES_SHOWN,
        cursor=cursor,
        text=text,
        without=asks if on_top else None,
    )
    counts = studies.count_by_state(session)
    chosen = {"state": state, "q": text}
    return render(
        request,
        "studies.html",
        section="studies",
        page=page,
        waiting=waiting.items if on_top and cursor is None else (),
        more_wait=waiting.next_cursor is not None,
        cursor=cursor,
        q=text,
        study_state=wanted,
        states=tuple(StudyState),
        counts=counts,
        total=sum(counts.values()),
        query=urlencode({key: value for key, value in chosen.items() if value}),
    )


@routes.get("/studies/{study_id}")
def study_page(
    request: Request, study_id: Identifier, session: ReadSession, context: ContextOf
) -> Response:
    """A study: where it is, what it found, and its ladder of seven steps."""
    sequence = events.latest(session, study_id)
    study = studies.get(session, study_id)
    reports = studies.steps(session, study_id)
    here = workers.list_workers(session, settings=context.settings)
    has_worker = has_live_worker(here)
    waits = not study.state.has_ended and study.state.value in ("pending", "running")
    offered = choices(study, reports, may_write=may_write(request))
    order = best_first(study.best)
    top = (
        trials.list_trials(session, study_id, sort=order, limit=BEST_SHOWN).items
        if study.best is not None
        else ()
    )
    return render(
        request,
        "study.html",
        **about(study_id),
        study=study,
        sequence=sequence,
        now_sentence=now(study, has_worker=has_worker),
        result=study.result,
        ladder=ladder(study, reports),
        causes_told=[
            finding
            for report in reports
            for finding in report.findings
            if finding.severity is not Severity.INFO
        ],
        choices=offered,
        commands=commands(study, offered),
        form_token=form_token(request),
        needs_worker=waits and not has_worker,
        crew=crew(here) if waits and has_worker else "",
        top=trial_table(top),
        best_first=order,
        happenings=lately(session, study_id, sequence),
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


@routes.get("/docs")
def docs_page(request: Request) -> Response:
    """The REST interface for people, made from its OpenAPI document."""
    docs = api_docs(request.app.openapi())
    return render(request, "docs.html", section="docs", docs=docs)


def _state(name: str) -> StudyState | None:
    if not name:
        return None
    if name not in tuple(StudyState):
        states = ", ".join(StudyState)
        raise InvalidInput("state", name, f"give one of {states}, or leave it out")
    return StudyState(name)
