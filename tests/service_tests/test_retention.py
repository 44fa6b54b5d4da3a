"""What is over its time goes, and nothing else; by default everything stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from service.clock import utc_now
from service.database.models import KeptAnswer, Study
from service.settings import Settings
from service.use_cases.retention import Housekeeping
from tests.service_tests.support import Bench
from tests.service_tests.test_deletion import ended, left, opened


def aged(bench: Bench, study: str, days: float) -> None:
    with bench.database.write() as session:
        session.execute(
            update(Study)
            .where(Study.uid == study)
            .values(finished_at=utc_now() - timedelta(days=days))
        )


def keep_house(bench: Bench, **settings: float) -> None:
    own = opened(bench)
    changed = Settings(**{**bench.settings.model_dump(), **settings})
    housekeeping = Housekeeping(own.database, settings=changed)
    while housekeeping.look():
        pass
    own.database.dispose()


def test_everything_is_kept_unless_told_otherwise(bench: Bench) -> None:
    aged(bench, ended(bench), days=10_000)
    before = bench.dump()
    keep_house(bench)
    assert bench.dump() == before


@pytest.mark.parametrize(
    ("setting", "table"), [("keep_artifacts_days", "artifact"), ("keep_events_days", "event")]
)
def test_old_things_of_ended_studies_go(bench: Bench, setting: str, table: str) -> None:
    old, young, open_study = ended(bench), ended(bench), bench.planned([1])
    aged(bench, old, days=8)
    aged(bench, young, days=6)
    before = bench.dump()
    ids = {row["uid"]: row["id"] for row in before["study"]}
    keep_house(bench, **{setting: 7})
    after = bench.dump()

    gone = {row["study_id"] for row in before[table]} - {row["study_id"] for row in after[table]}
    assert gone == {ids[old]}
    if table == "event":
        assert any(row["study_id"] == ids[open_study] for row in after["event"])
    else:
        names = {path.name for path in bench.settings.artifacts_dir.iterdir()}
        assert names == {row["uid"] for row in after["artifact"]}
    untouched = set(before) - {table, "attempt_member"}  # a member forgets a checkpoint it had
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_answers_over_their_time_go(bench: Bench) -> None:
    with bench.database.write() as session:
        for hours in (23, 25):
            session.add(
                KeptAnswer(
                    owner="token",
                    key=f"{hours} hours old",
                    request_sha256="0" * 64,
                    status=201,
                    headers="{}",
                    body="{}",
                    created_at=utc_now() - timedelta(hours=hours),
                )
            )
    keep_house(bench)
    assert [row["key"] for row in bench.dump()["kept_answer"]] == ["23 hours old"]


def test_a_study_that_goes_on_keeps_all(bench: Bench) -> None:
    study = bench.planned([1])
    aged(bench, study, days=100)  # no such moment before its end; its state is what counts
    before = left(bench)
    keep_house(bench, keep_artifacts_days=0, keep_events_days=0)
    assert left(bench) == before
