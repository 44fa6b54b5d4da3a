"""The pages of trials: the list that sorts and filters, and one trial."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from recipes.space import SearchSpace
from recipes.trial import TrialState
from service import events, studies, trials
from service.api.dependencies import Identifier, ReadSession, TrialNumber
from service.errors import InvalidInput
from service.pages.format import STEP_NAMES
from service.pages.rendering import about, render
from service.pages.trial_evaluations import best_epoch, evaluation_rows, trial_sentence
from service.pages.trial_figures import trial_figures

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

TRIALS_SHOWN = 50


@routes.get("/studies/{study_id}/trials")
def trials_page(
    request: Request,
    study_id: Identifier,
    session: ReadSession,
    step: Annotated[str, Query(pattern="^[1-7]?$")] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=200)] = "number",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """A study's trials, a page at a time. A form's empty fields mean all."""
    study = studies.get(session, study_id)
    wanted = _state(state)
    number = int(step) if step else None
    page = trials.list_trials(
        session, study_id, step=number, state=wanted, sort=sort, limit=TRIALS_SHOWN, cursor=cursor
    )
    chosen = {"step": step, "state": state, "sort": "" if sort == "number" else sort}
    return render(
        request,
        "trials.html",
        **about(study_id),
        study=study,
        sequence=events.latest(session, study_id),
        page=page,
        page_size=TRIALS_SHOWN,
        cursor=cursor,
        query=urlencode({key: value for key, value in chosen.items() if value}),
        step=number,
        trial_state=wanted,
        sort=sort,
        sorts=_sorts(study.space),
        states=tuple(TrialState),
        step_names=STEP_NAMES,
        metric=study.best.metric if study.best is not None else None,
    )


@routes.get("/studies/{study_id}/trials/{number}")
def trial_page(
    request: Request, study_id: Identifier, number: TrialNumber, session: ReadSession
) -> Response:
    """A trial: its curves, setting, evaluations and attempts."""
    sequence = events.latest(session, study_id)
    findings = trials.findings(session, study_id)
    trial = trials.get_trial(session, study_id, number)
    evaluations, left_out = evaluation_rows(trial)
    curves = trials.curves(session, study_id, number)
    return render(
        request,
        "trial.html",
        **about(study_id),
        study=studies.get(session, study_id),
        sequence=sequence,
        trial=trial,
        sentence=trial_sentence(trial),
        figures=trial_figures(curves, best_epoch(trial)),
        evaluations=evaluations,
        evaluations_left_out=left_out,
        findings=[finding for finding in findings if finding.trial == number],
    )


def _state(name: str) -> TrialState | None:
    if not name:
        return None
    if name not in tuple(TrialState):
        states = ", ".join(TrialState)
        raise InvalidInput("state", name, f"give one of {states}, or leave it out")
    return TrialState(name)


def _sorts(space: SearchSpace | None) -> dict[str, str]:
    """What the list can be sorted by, in words."""
    sorts = {
        "number": "number",
        "-number": "newest first",
        "-value": "highest value first",
        "value": "lowest value first",
    }
    for name in space or ():
        sorts[name] = f"{name}, rising"
        sorts[f"-{name}"] = f"{name}, falling"
    return sorts
