"""Steps: what each run of a step concluded, its figures, and what a person decides on it."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field

from recipes.step import Figure
from recipes.value import Value
from service.api.conditional import Unchanged
from service.api.dependencies import (
    Cursor,
    Identifier,
    Limit,
    Origin,
    ReadSession,
    StepNumber,
    WriteSession,
)
from service.api.routing import router
from service.errors import NotFound
from service.figures import charts
from service.use_cases import steps
from service.views.models import StepPage, StepView, StudyView
from service.web.problems import documented

routes = router("steps", keeps=True)

Round = Annotated[
    int | None, Query(alias="round", ge=1, lt=2**31, description="The latest if left out")
]
Pass = Annotated[
    int | None, Query(alias="pass", ge=1, lt=2**31, description="The latest if left out")
]

DecidedRound = Annotated[
    int | None,
    Query(alias="round", ge=1, lt=2**31, description="409 unless it waits at this round"),
]
DecidedPass = Annotated[
    int | None, Query(alias="pass", ge=1, lt=2**31, description="409 unless it waits at this pass")
]

SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A figure by itself: its own style sheet and nothing else."""


FIGURES_KEPT = 64
"""Drawings kept for the next reader, at some ten kB each."""


class SkipRequest(Value):
    """Why a step is skipped."""

    reason: str = Field(min_length=1, max_length=steps.MAX_REASON)


@routes.get("/studies/{study}/steps", responses=documented(404))
def list_steps(
    study: Identifier,
    session: ReadSession,
    origin: Origin,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> StepPage:
    """Every run of every step so far, oldest first."""
    return steps.step_page(session, study, limit=limit, cursor=cursor, origin=origin)


@routes.get("/studies/{study}/steps/{number}", responses=documented(404))
def get_step(
    study: Identifier,
    number: StepNumber,
    session: ReadSession,
    origin: Origin,
    round_number: Round = None,
    pass_number: Pass = None,
) -> StepView:
    """One run of a step: verdict, evidence, findings, action."""
    return steps.step(
        session,
        study,
        number,
        round=round_number,
        pass_number=pass_number,
        origin=origin,
    )


@routes.post(
    "/studies/{study}/steps/{number}/accept",
    responses=documented(404, 409),
    dependencies=[Unchanged],
)
def accept_step(
    study: Identifier,
    number: StepNumber,
    session: WriteSession,
    round_number: DecidedRound = None,
    pass_number: DecidedPass = None,
) -> StudyView:
    """Apply the action that the step offers and the study waits with."""
    return steps.accept(session, study, number, round=round_number, pass_number=pass_number)


@routes.post(
    "/studies/{study}/steps/{number}/rerun",
    responses=documented(404, 409),
    dependencies=[Unchanged],
)
def rerun_step(study: Identifier, number: StepNumber, session: WriteSession) -> StudyView:
    """The task was changed: describe it again, and go on from this step.

    Its runs and all later ones become stale as soon as the new description is there.
    """
    return steps.rerun(session, study, number)


@routes.post(
    "/studies/{study}/steps/{number}/skip",
    responses=documented(404, 409),
    dependencies=[Unchanged],
)
def skip_step(
    study: Identifier,
    number: StepNumber,
    request: SkipRequest,
    session: WriteSession,
    round_number: DecidedRound = None,
    pass_number: DecidedPass = None,
) -> StudyView:
    """Go on without what the step asks for. The reason stays in its report."""
    return steps.skip(
        session,
        study,
        number,
        reason=request.reason,
        round=round_number,
        pass_number=pass_number,
    )


@routes.get(
    "/studies/{study}/figures/{name}.svg",
    response_class=Response,
    responses={**documented(404), 200: {"content": {"image/svg+xml": {}}}},
)
def get_figure(
    study: Identifier,
    name: Annotated[str, Path(pattern=r"^step-[1-7]-[a-z][a-z0-9_]*$")],
    session: ReadSession,
    round_number: Round = None,
    pass_number: Pass = None,
) -> Response:
    """A figure by its stable name, `step-1-initial_loss`, as a file that stands alone."""
    _, number, figure_name = name.split("-", 2)
    step = steps.step(session, study, int(number), round=round_number, pass_number=pass_number)
    svg = _drawn(_figure(step, figure_name).model_dump_json())
    headers = {"Content-Security-Policy": SVG_POLICY, "Cache-Control": "private, no-cache"}
    return Response(svg, media_type="image/svg+xml", headers=headers)


@lru_cache(FIGURES_KEPT)
def _drawn(figure: str) -> bytes:
    """A figure's data as SVG, drawn once."""
    return charts.draw(Figure.model_validate_json(figure), standalone=True).encode()


def _figure(step: StepView, name: str) -> Figure:
    for figure in step.figures:
        if figure.name == name:
            return figure
    raise NotFound("figure", f"step-{step.number}-{name}")
