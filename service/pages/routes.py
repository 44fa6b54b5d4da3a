"""Pages for people. They read the same use cases as REST, and change nothing."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from service import events, studies, tokens, trials, workers
from service.api.dependencies import (
    ContextOf,
    Identifier,
    ReadSession,
    StepNumber,
    TrialNumber,
    WriteSession,
)
from service.api.steps import Pass, Round
from service.clock import utc_now
from service.pages.format import STEP_NAMES, STEP_PURPOSES
from service.pages.rendering import render
from service.pages.sentences import has_live_worker, ladder, now
from service.pages.trial_figures import trial_figures
from service.web.security import COOKIE, TokenScope

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

TRIALS_SHOWN = 100
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
    """A study: where it is, and its ladder of seven steps."""
    sequence = events.latest(session, study_id)
    study = studies.get(session, study_id)
    has_worker = has_live_worker(workers.list_workers(session, settings=context.settings))
    waits = not study.state.has_ended and study.state.value in ("pending", "running")
    return render(
        request,
        "study.html",
        **_about(study_id),
        study=study,
        sequence=sequence,
        now_sentence=now(study, has_worker=has_worker),
        ladder=ladder(study, studies.steps(session, study_id)),
        needs_worker=waits and not has_worker,
    )


@routes.get("/studies/{study_id}/steps/{number}")
def step_page(
    request: Request,
    study_id: Identifier,
    number: StepNumber,
    session: ReadSession,
    round_number: Round = None,
    pass_number: Pass = None,
) -> Response:
    """A step: verdict, figures, evidence, findings, trials."""
    sequence = events.latest(session, study_id)
    study = studies.get(session, study_id)
    runs = [report for report in studies.steps(session, study_id) if report.number == number]
    chosen = round_number is not None or pass_number is not None
    report = (
        studies.step(session, study_id, number, round=round_number, pass_number=pass_number)
        if runs or chosen
        else None
    )
    page = trials.list_trials(
        session, study_id, step=number, state=None, limit=TRIALS_SHOWN, cursor=None
    )
    return render(
        request,
        "step.html",
        **_about(study_id),
        study=study,
        sequence=sequence,
        number_of_step=number,
        name=STEP_NAMES[number],
        purpose=STEP_PURPOSES[number],
        report=report,
        runs=runs,
        trials=page.items,
        more_trials=page.next_cursor is not None,
    )


@routes.get("/studies/{study_id}/trials/{number}")
def trial_page(
    request: Request, study_id: Identifier, number: TrialNumber, session: ReadSession
) -> Response:
    """A trial: its curves, setting, evaluations and attempts."""
    sequence = events.latest(session, study_id)
    findings = trials.findings(session, study_id)
    return render(
        request,
        "trial.html",
        **_about(study_id),
        study=studies.get(session, study_id),
        sequence=sequence,
        trial=trials.get_trial(session, study_id, number),
        figures=trial_figures(trials.curves(session, study_id, number)),
        findings=[finding for finding in findings if finding.trial == number],
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


@routes.get("/login")
def login_page(
    request: Request, session: WriteSession, token: str | None = None, next: str = "/studies"
) -> Response:
    """Sign a browser in by the link that was printed, or ask for the token."""
    if token is None:
        return _login_form(request, next, refused=False)
    return _sign_in(request, session, token, next)


@routes.post("/login")
async def login(request: Request, context: ContextOf) -> Response:
    """Sign a browser in by a token that was pasted."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    token, target = fields.get("token", [""])[0], fields.get("next", ["/studies"])[0]

    def sign_in() -> Response:
        with context.database.write() as session:
            return _sign_in(request, session, token.strip(), target)

    return await anyio.to_thread.run_sync(sign_in)


def _sign_in(request: Request, session: Session, token: str, target: str) -> Response:
    if tokens.identify(session, token) is not TokenScope.ADMIN:
        return _login_form(request, target, refused=True)
    # The cookie holds a session of its own, never the token: it can read and no more, and
    # the address that is left in the browser's history is one without the token.
    answer = RedirectResponse(own_path(target), status_code=303)
    answer.set_cookie(
        COOKIE,
        tokens.open_session(session),
        max_age=int(tokens.SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _login_form(request: Request, target: str, *, refused: bool) -> Response:
    status = 401 if refused else 200
    return render(
        request,
        "login.html",
        status=status,
        signed_in=False,
        next=own_path(target),
        refused=refused,
    )


def own_path(target: str) -> str:
    """A path of this service, whatever was asked for: never an address elsewhere."""
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    clean = all(" " < character < "\x7f" for character in target)
    return target if is_own and clean else "/studies"


def _about(study_id: str) -> dict[str, Any]:
    return {
        "section": "studies",
        "base": f"/studies/{study_id}",
        "base_api": f"/api/v1/studies/{study_id}",
    }
