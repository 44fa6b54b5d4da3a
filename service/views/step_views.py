"""Steps as they are answered: their reports, with what an action costs and how to have it done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from recipes.plan import ROUND_START
from recipes.step import Action, StepReport, StepState
from service.clock import database_now
from service.database.models import StepRun, Study
from service.repositories import spending, step_runs
from service.repositories.spending import Work
from service.use_cases.spending import active_seconds
from service.use_cases.verbs import OFFERED, Situation, Verb, refusal
from service.views.models import ActionCost, ActionView, StepView
from service.views.shell import curl
from service.views.study_views import situation


def step_views(
    session: Session,
    study: Study,
    runs: Sequence[StepRun],
    shown: Collection[StepRun],
    *,
    origin: str | None = None,
) -> list[StepView]:
    """Runs of a study's steps as they are answered, in two statements however many there are.

    Args:
        session: Any session.
        study: Whose.
        runs: All of them, oldest first.
        shown: Those to answer.
        origin: How the service is reached, as in ``http://host:port``; None: not known, so
            that no command can be given.
    """
    reports = {run.id: step_runs.view(run) for run in runs}
    if not any(reports[run.id].action is not None for run in shown):
        return [_view(reports[run.id], None) for run in shown]
    costs = _costs(session, study, runs)
    now = situation(study, runs)
    address = None if origin is None else f"{origin}/api/v1/studies/{study.uid}"
    return [
        _view(
            reports[run.id],
            _action(run, reports[run.id], now, runs, costs, address),
        )
        for run in shown
    ]


def _view(report: StepReport, action: ActionView | None) -> StepView:
    return StepView.model_validate({**dict(report), "action": action}, by_name=True)


def _action(
    run: StepRun,
    report: StepReport,
    now: Situation,
    runs: Sequence[StepRun],
    costs: Mapping[int, ActionCost],
    address: str | None,
) -> ActionView | None:
    action = report.action
    if action is None:
        return None
    return ActionView(
        kind=action.kind,
        sentence=action.sentence,
        changes=action.changes,
        cost=_cost(action, run, runs, costs),
        curl=_command(action, run, now, address),
    )


def _command(action: Action, run: StepRun, now: Situation, address: str | None) -> str | None:
    """What has the action done now: accept it, or run the step again after a change."""
    last = now.last
    if address is None or last is None or run.state is StepState.STALE:
        return None
    if (last.number, last.round, last.pass_number) != (run.number, run.round, run.pass_number):
        return None
    verb: Verb
    if action.kind in OFFERED:
        verb, query = "accept", f"?round={run.round}&pass={run.pass_number}"
    elif action.kind == "change":
        verb, query = "rerun", ""
    else:
        return None
    if refusal(verb, now, run.number) is not None:
        return None
    return curl(f"{address}/steps/{run.number}/{verb}{query}", method="POST")


def _cost(
    action: Action, run: StepRun, runs: Sequence[StepRun], costs: Mapping[int, ActionCost]
) -> ActionCost | None:
    """By what the same work cost: the step's own run, or for a round the round before it."""
    if action.kind == "continue":
        return None
    alike = [run]
    if action.kind == "loop":
        alike = [
            each
            for each in runs
            if each.round == run.round
            and each.number >= ROUND_START
            and each.state is not StepState.STALE
        ]
    return ActionCost(
        seconds=sum(costs[each.id].seconds for each in alike),
        epochs=sum(costs[each.id].epochs for each in alike),
    )


def _costs(session: Session, study: Study, runs: Sequence[StepRun]) -> dict[int, ActionCost]:
    """What every run of a step cost, by its key. One follows the other, so a run's active time
    ends where the next one's begins."""
    work = spending.by_step_run(session, [study.id]).get(study.id, {})
    begun = [run.active_seconds_before for run in runs]
    ends = [*begun[1:], active_seconds(study, database_now(session))]
    return {
        run.id: ActionCost(seconds=max(0.0, end - start), epochs=work.get(run.id, Work()).epochs)
        for run, start, end in zip(runs, begun, ends, strict=True)
    }
