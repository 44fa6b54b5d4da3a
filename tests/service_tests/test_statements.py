"""Lists take as many statements for thirty rows as for three."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from recipes.step import Action, StepKind, StepReport, StepState
from recipes.study import StudyState
from service.clock import utc_now
from service.database.models import StepRun
from service.repositories import step_runs
from service.use_cases import steps, studies, trials, workers
from tests.service_tests.support import Bench

FEW, MANY = 3, 30


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def num_statements(bench: Bench, ask: Callable[[Session], Any], expected: int) -> int:
    with bench.database.read() as session, counted() as sent:
        page = ask(session)
    assert len(page.items) == expected
    return len(sent)


@pytest.mark.parametrize("what", ["studies", "trials", "steps", "workers"])
def test_no_list_asks_row_by_row(bench: Bench, what: str) -> None:
    counts = []
    for size in (FEW, MANY - FEW):
        ask = GROW[what](bench, size)
        counts.append(num_statements(bench, ask, FEW if size == FEW else MANY))
    assert counts[0] == counts[1] <= 8


def more_studies(bench: Bench, size: int) -> Callable[[Session], Any]:
    """Each with a step under way, whose progress is shown."""
    take_what_waits(bench)
    made = [bench.create() for _ in range(size)]
    worker = bench.worker()
    for _ in made:
        bench.describe(worker)
    for study in made:
        bench.advance(study)
    return lambda session: studies.list_studies(session, limit=100)


def take_what_waits(bench: Bench) -> None:
    """Hand out the jobs of earlier studies, so that the next one is described at once."""
    worker = bench.worker()
    slot = 0
    while bench.claim(worker, slot) is not None:
        slot += 1


def more_workers(bench: Bench, size: int) -> Callable[[Session], Any]:
    for number in range(size):
        bench.worker(f"w{number}")
    return lambda session: workers.worker_page(session, limit=100, settings=bench.settings)


def more_trials(bench: Bench, size: int) -> Callable[[Session], Any]:
    take_what_waits(bench)
    total = FEW if size == FEW else MANY
    study = bench.planned((1,) * total)
    return lambda session: trials.list_trials(session, study, limit=100)


def more_steps(bench: Bench, size: int) -> Callable[[Session], Any]:
    """Each with an action, whose cost is shown."""
    study = bench.create()
    total = FEW if size == FEW else MANY
    with bench.database.write() as session:
        study_id = studies.repository.require_id(session, study)
        for number in range(1, total + 1):
            run = StepRun(
                study_id=study_id,
                number=StepKind.COARSE_SEARCH.number,
                round=1,
                pass_number=number,
                state=StepState.RUNNING,
                active_seconds_before=2.0 * number,
                started_at=utc_now(),
            )
            session.add(run)
            session.flush()
            step_runs.finish(session, run.id, wide_report(number), utc_now())
    return lambda session: steps.step_page(
        session, study, limit=100, cursor=None, origin="http://127.0.0.1:8080"
    )


def wide_report(number: int) -> StepReport:
    """A report that advises to go on over a wider range."""
    return StepReport(
        number=StepKind.COARSE_SEARCH.number,
        kind=StepKind.COARSE_SEARCH,
        round=1,
        pass_number=number,
        state=StepState.WARNING,
        verdict=StepState.WARNING,
        sentence="the best lies at an edge",
        action=Action(kind="widen", sentence="widen lr"),
    )


GROW = {
    "studies": more_studies,
    "trials": more_trials,
    "steps": more_steps,
    "workers": more_workers,
}


def test_an_action_costs_what_the_same_work_cost_before(bench: Bench) -> None:
    ask = more_steps(bench, FEW)
    with bench.database.read() as session:
        page = ask(session)
    costs = [step.action.cost for step in page.items]
    assert [cost.seconds for cost in costs[:-1]] == [2.0, 2.0]
    assert [cost.epochs for cost in costs] == [0.0, 0.0, 0.0]
    # The study is pending: nothing waits to be accepted.
    assert [step.action.curl for step in page.items] == [None, None, None]


def test_an_action_that_waits_comes_with_the_command_that_has_it_done(bench: Bench) -> None:
    ask = more_steps(bench, FEW)
    with bench.database.write() as session:
        (found,) = studies.list_studies(session, limit=1).items
        study = studies.repository.require(session, found.id)
        studies.repository.change(session, study.id, state=StudyState.NEEDS_ACTION)
    with bench.database.read() as session:
        *earlier, last = [step.action.curl for step in ask(session).items]
    assert earlier == [None, None]
    address = f"http://127.0.0.1:8080/api/v1/studies/{found.id}/steps/4/accept?round=1&pass=3"
    assert last == f"curl -X POST -H \"Authorization: Bearer $TOKEN\" '{address}'"
