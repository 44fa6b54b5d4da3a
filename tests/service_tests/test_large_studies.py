"""What is asked of a study takes as many statements and rows however large the study is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from benchmarks.scale.studies import Maker
from service.conductor.decisions import Judge
from service.database.engine import Database
from service.database.models import StepWork, Trial
from service.repositories import spending, studies
from service.repositories.queue import FIRST_PIECE
from service.repositories.spending import Work
from service.settings import Settings
from service.use_cases import studies as use_cases
from service.use_cases import trials
from tests.service_tests.support import Bench, outcome

FEW, MANY = 20, 120


@dataclass
class Counted:
    """What a session did.

    Attributes:
        statements: How many were sent to the database.
        trials: Whole rows of trials that were loaded, by number.
    """

    statements: int = 0
    trials: list[int] = field(default_factory=list)


@contextmanager
def counting() -> Iterator[Counted]:
    """Count what sessions do meanwhile."""
    found = Counted()

    def executed(state: Any) -> None:
        found.statements += 1

    def loaded(trial: Trial, context: Any) -> None:
        found.trials.append(trial.number)

    event.listen(Session, "do_orm_execute", executed)
    event.listen(Trial, "load", loaded)
    try:
        yield found
    finally:
        event.remove(Session, "do_orm_execute", executed)
        event.remove(Trial, "load", loaded)


@pytest.fixture
def maker(database: Database, settings: Settings) -> Maker:
    return Maker(database, settings)


def sized(maker: Maker, count: int) -> str:
    """A study whose search is to be judged, of so many trials besides its first ones."""
    uid = maker.begun(f"study of {count}")
    maker.add_ended(uid, count, points=2)
    return uid


ASKED: dict[str, Callable[[Session, str], object]] = {
    "study": use_cases.get,
    "by number": lambda session, uid: trials.list_trials(session, uid, limit=10),
    "by value": lambda session, uid: trials.list_trials(session, uid, sort="-value", limit=10),
    "by rung": lambda session, uid: trials.list_trials(session, uid, sort="rung", limit=10),
    "by a hyperparameter": lambda session, uid: trials.list_trials(
        session, uid, sort="lr", limit=10
    ),
    "steps": use_cases.steps,
    "curves": lambda session, uid: trials.curves(session, uid, 3),
}


def test_as_many_statements_and_rows_for_a_large_study(maker: Maker) -> None:
    found = []
    for count in (FEW, MANY):
        uid = sized(maker, count)
        done = {}
        for name, ask in ASKED.items():
            with counting() as counted, maker.database.read() as session:
                ask(session, uid)
            done[name] = (counted.statements, len(counted.trials))
        found.append(done)
        maker.advance(uid)

    assert found[0] == found[1]
    assert found[0]["study"][1] == 0
    assert found[0]["by value"][1] == 10


def test_a_claim_takes_as_many_statements_however_many_wait(bench: Bench, maker: Maker) -> None:
    found = []
    for count in (FEW, MANY):
        uid = maker.begun(f"queue of {count}")
        maker.add_queued(uid, count)
        with counting() as counted:
            bench.must_claim(bench.worker())
        found.append(counted.statements)
        with maker.database.write() as session:
            use_cases.cancel(session, uid)

    assert found[0] == found[1]


def test_a_claim_passes_over_a_long_queue_of_a_paused_study(bench: Bench, maker: Maker) -> None:
    first, second = maker.begun("paused"), maker.begun("next")
    maker.add_queued(first, FIRST_PIECE + 1)
    maker.add_queued(second, 1)
    with maker.database.write() as session:
        use_cases.pause(session, first)
    worker = bench.worker()

    assert bench.must_claim(worker, 0).study == second
    assert bench.claim(worker, 1) is None


def test_a_later_step_loads_its_own_trials_and_a_few(maker: Maker) -> None:
    loaded = []
    for count in (FEW, MANY):
        uid = sized(maker, count)
        maker.advance(uid)
        seen = {}
        for step in (5, 7):
            maker.to_the_end_of_step(uid, step)
            with counting() as counted:
                maker.decision(uid)
            seen[step] = len(counted.trials)
        loaded.append(seen)

    assert loaded[0] == loaded[1]


def test_what_a_study_concludes_is_the_same_with_all_trials_looked_at(maker: Maker) -> None:
    """Without what was remembered of its searches a decision reads all of them."""
    uid = sized(maker, FEW)
    maker.advance(uid)
    for step in (5, 7):
        decision = maker.to_the_end_of_step(uid, step)
        assert isinstance(decision, Judge)
        with maker.database.write() as session:
            kept = {row.step_run_id: row.memory for row in session.query(StepWork)}
            session.query(StepWork).update({"memory": None})

        with counting() as counted:
            whole = maker.decision(uid)

        assert isinstance(whole, Judge)
        assert len(counted.trials) > FEW
        untimed = {"measured": {}}
        assert decision.report.model_copy(update=untimed) == whole.report.model_copy(
            update=untimed
        )
        assert decision.following == whole.following
        with maker.database.write() as session:
            for row in session.query(StepWork):
                row.memory = kept[row.step_run_id]
        maker.advance(uid)


def test_work_of_judged_steps_is_what_adding_up_would_give(maker: Maker) -> None:
    uid = sized(maker, FEW)
    maker.to_the_end_of_step(uid, 7)
    with maker.database.write() as session:
        study_id = studies.require_id(session, uid)
        kept = dict(spending.by_step_run(session, [study_id])[study_id])
        assert session.query(StepWork).delete() == 3
    with maker.database.read() as session:
        added_up = dict(spending.by_step_run(session, [study_id])[study_id])

    for run, work in kept.items():
        again = added_up.get(run, Work())
        assert work.trials == again.trials
        assert work.epochs == pytest.approx(again.epochs)
        assert work.device_seconds == pytest.approx(again.device_seconds)


def test_an_attempt_that_ends_after_its_step_was_judged_counts(bench: Bench) -> None:
    study = bench.planned()
    claim = bench.must_claim(bench.worker())
    bench.points(claim, outcomes=[outcome(0)])
    bench.advance(study)
    with bench.database.read() as session:
        (judged,) = session.scalars(select(StepWork)).all()
    assert judged.device_seconds == 0.0

    bench.finish(claim)

    with bench.database.read() as session:
        (judged,) = session.scalars(select(StepWork)).all()
        spent = use_cases.get(session, study).budget.used.device_seconds
    assert 0.0 < judged.device_seconds <= spent


@pytest.mark.parametrize("sort", ["number", "-number", "value", "-value", "rung", "-rung", "-lr"])
def test_pages_in_an_order_join_to_the_whole_list(maker: Maker, sort: str) -> None:
    uid = sized(maker, FEW)
    with maker.database.write() as session:
        for number in (1, 9, 10):
            row = session.query(Trial).where(Trial.number == number).one()
            row.value = None
        equal = session.query(Trial).where(Trial.number.in_((4, 5, 12))).all()
        for row in equal:
            row.value = 0.5
    with maker.database.read() as session:
        whole = [each.number for each in trials.list_trials(session, uid, sort=sort).items]
        joined: list[int] = []
        cursor = None
        while True:
            page = trials.list_trials(session, uid, sort=sort, limit=4, cursor=cursor)
            joined += [each.number for each in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break

    assert joined == whole
    assert sorted(joined) == list(range(FEW + 8))
    if sort in ("value", "-value"):
        assert joined[-3:] == [1, 9, 10]
        assert [number for number in joined if number in (4, 5, 12)] == [4, 5, 12]
