"""The pages of trials: the list that sorts and filters, and one trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from recipes.space import SearchSpace
from recipes.trial import TrialPurpose, TrialState
from service.api.dependencies import Cursor, Identifier, ReadSession, TrialNumber
from service.errors import InvalidInput
from service.pages.how_trained import how_trained
from service.pages.layers import layer_tables
from service.pages.rendering import about, render
from service.pages.rungs import rungs
from service.pages.trial_evaluations import best_epoch, evaluation_rows, trial_sentence
from service.pages.trial_figures import trial_figures
from service.pages.trial_table import trial_table
from service.repositories.trials import Order
from service.streams import events
from service.use_cases import studies, trials
from service.views.format import STEP_NAMES, plural

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

TRIALS_SHOWN = 50


class Head(NamedTuple):
    """A column's name as a link: where it leads, and how the list is sorted by it now."""

    href: str
    order: str  # ascending, descending or empty


@routes.get("/studies/{study_id}/trials")
def trials_page(
    request: Request,
    study_id: Identifier,
    session: ReadSession,
    step: Annotated[str, Query(pattern="^[1-7]?$")] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    purpose: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=200)] = "number",
    cursor: Cursor = None,
) -> Response:
    """A study's trials, a page at a time. A form's empty fields mean all."""
    study = studies.get(session, study_id)
    wanted, made_for = _state(state), _purpose(purpose)
    number = int(step) if step else None
    page = trials.list_trials(
        session,
        study_id,
        step=number,
        state=wanted,
        purpose=made_for,
        sort=sort,
        limit=TRIALS_SHOWN,
        cursor=cursor,
    )
    filters = {"step": step, "state": state, "purpose": purpose}
    chosen = {key: value for key, value in filters.items() if value}
    sorted_by = {} if sort == "number" else {"sort": sort}
    address = f"{request.scope.get('root_path', '').rstrip('/')}/studies/{study_id}/trials"
    return render(
        request,
        "trials.html",
        **about(study_id),
        study=study,
        sequence=events.latest(session, study_id),
        page=page,
        table=trial_table(page.items, by_rung=sort.removeprefix("-") == Order.RUNG),
        page_size=TRIALS_SHOWN,
        cursor=cursor,
        query=urlencode(chosen | sorted_by),
        step=number,
        trial_state=wanted,
        purpose=made_for,
        sort=sort,
        sorts=_sorts(study.space),
        heads=_heads(study.space, sort, chosen, address),
        states=tuple(TrialState),
        purposes=tuple(TrialPurpose),
        step_names=STEP_NAMES,
        metric=study.best.metric if study.best is not None else None,
        shown=_shown(len(page.items), study.num_trials, is_part=bool(chosen) or bool(cursor)),
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
    initial = trials.initialisation(session, study_id, number)
    study = studies.get(session, study_id)
    return render(
        request,
        "trial.html",
        **about(study_id),
        study=study,
        sequence=sequence,
        trial=trial,
        how_trained=how_trained(trial, study.fusing),
        sentence=trial_sentence(trial, initial),
        figures=trial_figures(curves, best_epoch(trial)),
        layer_tables=layer_tables(curves, initial),
        rungs=rungs(trial),
        place=_place(trials.place_in_queue(session, study_id, number)),
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


def _purpose(name: str) -> TrialPurpose | None:
    if not name:
        return None
    if name not in tuple(TrialPurpose):
        purposes = ", ".join(TrialPurpose)
        raise InvalidInput("purpose", name, f"give one of {purposes}, or leave it out")
    return TrialPurpose(name)


def _sorts(space: SearchSpace | None) -> dict[str, str]:
    """What the list can be sorted by, in words."""
    sorts = {
        "number": "number",
        "-number": "newest first",
        "-value": "highest value first",
        "value": "lowest value first",
        "-rung": "rung by rung, highest value first",
        "rung": "rung by rung, lowest value first",
    }
    for name in space or ():
        sorts[name] = f"{name}, rising"
        sorts[f"-{name}"] = f"{name}, falling"
    return sorts


def _heads(
    space: SearchSpace | None, sort: str, chosen: Mapping[str, str], address: str
) -> dict[str, Head]:
    """Where each column's name leads: a second time on it turns the order."""
    heads = {}
    for name in ("number", "value", *(space or ())):
        falls_first = name == "value"
        rising, falling = name, f"-{name}"
        now = {rising: "ascending", falling: "descending"}.get(sort, "")
        wanted = falling if now == "ascending" or (falls_first and not now) else rising
        heads[name] = Head(f"{address}?{urlencode({**chosen, 'sort': wanted})}", now)
    return heads


def _shown(count: int, total: int, *, is_part: bool) -> str:
    if is_part:
        return f"{plural(count, 'trial')} of the study's {total:,} shown."
    return f"{count:,} of {plural(total, 'trial')} shown." if count < total else ""


def _place(before: int | None) -> str:
    """Where a trial stands in the queue of all studies."""
    if before is None:
        return ""
    if before == 0:
        return "It is the next that a free worker gets."
    return f"{plural(before, 'piece')} of work before it in the queue."
