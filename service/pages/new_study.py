"""The page that begins a study. It works without a script, and writes the request out."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from recipes.study import LAST_STEP
from service.api.dependencies import ContextOf
from service.pages import study_form
from service.pages.forms import form_token, read_form
from service.pages.rendering import render
from service.pages.study_form import StudyForm
from service.settings import Settings
from service.use_cases import studies
from service.views.format import STEP_NAMES
from service.web.context import Context

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@routes.get("/studies/new")
def new_study_page(
    request: Request,
    context: ContextOf,
    task: Annotated[str | None, Query(max_length=4096)] = None,
) -> Response:
    """The form, empty; an address may name the task."""
    form = study_form.empty()
    if task is not None:
        form.typed["task"] = task
    return _show(request, form, context.settings)


@routes.post("/studies/new")
async def create_study_form(request: Request, context: ContextOf) -> Response:
    """Create the study, or show what was typed with its request, and what does not fit."""
    fields = await read_form(request)
    async with context.writers:
        return await anyio.to_thread.run_sync(_answer, request, context, dict(fields))


def _answer(request: Request, context: Context, fields: dict[str, str]) -> Response:
    form = study_form.filled(fields, context.settings)
    is_to_create = fields.get("intent") == "create"
    if form.config is None or not is_to_create:
        status = 422 if is_to_create else 200  # nothing is wrong with having looked
        return _show(request, form, context.settings, status=status, is_checked=True)
    with context.database.write() as session:
        study = studies.create(session, form.config)
    root = request.scope.get("root_path", "").rstrip("/")
    return RedirectResponse(f"{root}/studies/{study.id}", status_code=303)


def _show(
    request: Request,
    form: StudyForm,
    settings: Settings,
    *,
    status: int = 200,
    is_checked: bool = False,
) -> Response:
    data: dict[str, Any] = {
        "typed": form.typed,
        "errors": form.errors,
        "payload": form.payload,
        "is_checked": is_checked,
        "fits": form.config is not None,
        "step_names": {n: STEP_NAMES[n] for n in range(1, LAST_STEP + 1)},
        "allows_files": settings.allow_task_files,
        "modules": settings.allowed_task_modules,
    }
    return render(
        request,
        "new_study.html",
        status=status,
        section="studies",
        form_token=form_token(request),
        **data,
    )
