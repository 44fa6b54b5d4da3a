"""What the pages' buttons do: the verbs of studies and steps, sent by plain forms.

Each ends in a redirect to the study's page, so that reloading it sends nothing again. A
refusal is shown as a page with its reason and cure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from service.api.dependencies import ContextOf, Identifier, StepNumber
from service.errors import InvalidInput, ServiceError
from service.pages.forms import read_form
from service.pages.rendering import render
from service.use_cases import deletion, steps, studies
from service.web.context import Context

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

StudyVerb = Annotated[Literal["pause", "resume", "cancel", "delete"], Path()]
StepVerb = Annotated[Literal["accept", "rerun", "skip"], Path()]
STUDY_VERBS = {
    "pause": studies.pause,
    "resume": studies.resume,
    "cancel": studies.cancel,
}


@routes.post("/studies/{study_id}/{verb}")
async def act_on_study(
    request: Request, study_id: Identifier, verb: StudyVerb, context: ContextOf
) -> Response:
    """Pause, resume, cancel or delete a study."""

    def act(session: Session, fields: Mapping[str, str]) -> object:
        if verb != "delete":
            return STUDY_VERBS[verb](session, study_id)
        _delete(session, study_id, fields.get("confirm", ""))
        return None

    # A deleted study has no page to go back to.
    return await _act(request, context, study_id, act, leads_to_list=verb == "delete")


@routes.post("/studies/{study_id}/steps/{number}/{verb}")
async def act_on_step(
    request: Request,
    study_id: Identifier,
    number: StepNumber,
    verb: StepVerb,
    context: ContextOf,
) -> Response:
    """Accept what a step offers, run it again, or go on without it."""

    def act(session: Session, fields: Mapping[str, str]) -> object:
        if verb == "rerun":
            return steps.rerun(session, study_id, number)
        # The form names the run it was shown for: a page left open decides on no other.
        round, pass_number = _whole(fields, "round"), _whole(fields, "pass")
        if verb == "accept":
            return steps.accept(session, study_id, number, round=round, pass_number=pass_number)
        return steps.skip(
            session,
            study_id,
            number,
            reason=fields.get("reason", ""),
            round=round,
            pass_number=pass_number,
        )

    return await _act(request, context, study_id, act)


async def _act(
    request: Request,
    context: Context,
    study_id: str,
    act: Callable[[Session, Mapping[str, str]], object],
    *,
    leads_to_list: bool = False,
) -> Response:
    def write(fields: Mapping[str, str]) -> None:
        with context.database.write() as session:
            act(session, fields)

    try:
        fields = await read_form(request)
        async with context.writers:
            await anyio.to_thread.run_sync(write, fields)
    except ServiceError as error:
        return render(
            request,
            "problem.html",
            status=error.status,
            title=error.title,
            detail=error.detail,
            back=f"/studies/{study_id}",
        )
    root = request.scope.get("root_path", "").rstrip("/")
    target = "/studies" if leads_to_list else f"/studies/{study_id}"
    return RedirectResponse(f"{root}{target}", status_code=303)


def _delete(session: Session, study_id: str, confirm: str) -> None:
    name = studies.get(session, study_id).name
    if confirm.strip() != name.strip():
        raise InvalidInput("confirm", confirm, f"type the study's name: {name}")
    deletion.delete_study(session, study_id)


def _whole(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(name, text[:20], "open the page again and repeat")
    return int(text)
