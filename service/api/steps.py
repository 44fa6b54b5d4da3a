"""Steps: what each run of a step concluded, and its figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response

from recipes.step import Figure
from service import studies
from service.api.dependencies import Identifier, ReadSession, StepNumber
from service.api.routing import router
from service.errors import NotFound
from service.pages import charts
from service.views import StepView
from service.web.problems import documented

routes = router("steps")

Round = Annotated[int | None, Query(alias="round", ge=1, description="The latest if left out")]
Pass = Annotated[int | None, Query(alias="pass", ge=1, description="The latest if left out")]

SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A figure by itself: its own style sheet and nothing else."""


@routes.get("/studies/{study}/steps", responses=documented(404))
def list_steps(study: Identifier, session: ReadSession) -> list[StepView]:
    """Every run of every step so far, oldest first."""
    return studies.steps(session, study)


@routes.get("/studies/{study}/steps/{number}", responses=documented(404))
def get_step(
    study: Identifier,
    number: StepNumber,
    session: ReadSession,
    round_number: Round = None,
    pass_number: Pass = None,
) -> StepView:
    """One run of a step: verdict, evidence, findings, action."""
    return studies.step(session, study, number, round=round_number, pass_number=pass_number)


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
    step = studies.step(session, study, int(number), round=round_number, pass_number=pass_number)
    svg = charts.draw(_figure(step, figure_name), standalone=True)
    headers = {"Content-Security-Policy": SVG_POLICY}
    return Response(svg, media_type="image/svg+xml", headers=headers)


def _figure(step: StepView, name: str) -> Figure:
    for figure in step.figures:
        if figure.name == name:
            return figure
    raise NotFound("figure", f"step-{step.number}-{name}")
