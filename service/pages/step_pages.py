"""The page of a step: one run of it, with a way to the others."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from recipes.result import Best
from recipes.step import StepKind, StepReport
from service.api.dependencies import Identifier, ReadSession, StepNumber
from service.api.steps import Pass, Round
from service.pages.access import may_write
from service.pages.choices import choices, commands, rerun_command
from service.pages.diagnoses import diagnoses
from service.pages.forms import form_token
from service.pages.rendering import about, render
from service.pages.sentences import not_run
from service.pages.trial_table import trial_table
from service.streams import events
from service.use_cases import studies, trials
from service.views.format import STEP_NAMES, STEP_PURPOSES

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

CURVES, LOOP = StepKind.CURVES.number, StepKind.LOOP.number
TRIALS_SHOWN = 20
"""Most on the page of a step: the list of trials has the others."""


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
    reports = studies.steps(session, study_id)
    runs = [report for report in reports if report.number == number]
    chosen = round_number is not None or pass_number is not None
    report = (
        studies.step(session, study_id, number, round=round_number, pass_number=pass_number)
        if runs or chosen
        else None
    )
    by_value = study.best is not None and number >= StepKind.COARSE_SEARCH.number
    page = trials.list_trials(
        session,
        study_id,
        step=number,
        round=report.round if report is not None else None,
        pass_number=report.pass_number if report is not None else None,
        sort=best_first(study.best) if by_value else "number",
        limit=TRIALS_SHOWN,
    )
    offered = choices(study, reports, may_write=may_write(request))
    asked = offered.waiting
    waits = report is not None and asked is not None and _run(asked) == _run(report)
    reruns = report is not None and offered.rerun
    return render(
        request,
        "step.html",
        **about(study_id),
        study=study,
        sequence=sequence,
        number_of_step=number,
        name=STEP_NAMES[number],
        purpose=STEP_PURPOSES[number],
        report=report,
        runs=runs,
        has_rounds=any(run.round > 1 for run in runs),
        table=trial_table(page.items),
        num_shown=len(page.items),
        order="best" if by_value else "first",
        more_trials=page.next_cursor is not None,
        metric=study.best.metric if study.best is not None else None,
        not_run=not_run(study, number),
        diagnoses=diagnoses(report.findings) if report and number == CURVES else (),
        effects=study.result.effects if study.result and number == LOOP else (),
        waits=waits,
        choices=offered,
        commands=(commands(study, offered) if waits else [rerun_command(study, number)] * reruns),
        form_token=form_token(request),
    )


def best_first(best: Best | None) -> str:
    """The order of a list of trials that has the best at its top."""
    return "value" if best is not None and best.direction == "minimize" else "-value"


def _run(report: StepReport) -> tuple[int, int, int]:
    return report.number, report.round, report.pass_number
