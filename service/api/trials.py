"""Trials: settings, how they ended, and their curves."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from recipes.trial import TrialState
from service.api.dependencies import (
    ContextOf,
    Cursor,
    Identifier,
    Limit,
    ReadSession,
    TrialNumber,
)
from service.api.routing import router
from service.repositories.trials import Order
from service.use_cases import studies, trials
from service.views import trials_csv
from service.views.models import CurvesView, FindingPage, TrialPage, TrialView
from service.web.problems import documented

routes = router("trials")


@routes.get("/studies/{study}/trials", responses=documented(404))
def list_trials(
    study: Identifier,
    session: ReadSession,
    step: Annotated[int | None, Query(ge=1, le=7)] = None,
    state: TrialState | None = None,
    sort: Annotated[
        str,
        Query(
            max_length=200,
            description="`number`, `value` or a hyperparameter's name; `-value`: downwards",
        ),
    ] = Order.NUMBER.value,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> TrialPage:
    """Trials, by number or in another order."""
    return trials.list_trials(
        session, study, step=step, state=state, sort=sort, limit=limit, cursor=cursor
    )


@routes.get(
    "/studies/{study}/trials.csv",
    response_class=StreamingResponse,
    responses={**documented(404), 200: {"content": {"text/csv": {}}}},
)
def export_trials(study: Identifier, session: ReadSession, context: ContextOf) -> Response:
    """All trials as CSV, a line each, hyperparameters as columns."""
    name = studies.get(session, study).id
    return StreamingResponse(
        trials_csv.lines(context.database.read, name),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="trials-{name}.csv"'},
    )


@routes.get("/studies/{study}/trials/{number}", responses=documented(404))
def get_trial(study: Identifier, number: TrialNumber, session: ReadSession) -> TrialView:
    """A trial with its attempts."""
    return trials.get_trial(session, study, number)


@routes.get("/studies/{study}/trials/{number}/curves", responses=documented(404))
def get_curves(study: Identifier, number: TrialNumber, session: ReadSession) -> CurvesView:
    """A trial's curves, each attempt's up to where the next one went on from."""
    return trials.curves(session, study, number)


@routes.get("/studies/{study}/findings", responses=documented(404))
def list_findings(
    study: Identifier, session: ReadSession, limit: Limit = 100, cursor: Cursor = None
) -> FindingPage:
    """What the rules saw in a study, step by step; findings of stale steps left out."""
    return trials.finding_page(session, study, limit=limit, cursor=cursor)
