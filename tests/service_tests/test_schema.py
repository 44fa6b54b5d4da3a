"""Migrations: up, down, with rows in the tables, and no other schema than the models'."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.engine import make_url

from recipes.study import StudyState
from service.conductor.active_clock import ActiveClock
from service.database import schema
from service.database.base import Base
from service.database.engine import Database
from service.database.models import Token
from service.database.write_ahead_log import use_write_ahead_log
from service.errors import SchemaTooNew, SchemaTooOld
from service.settings import Settings
from service.use_cases import studies
from tests.service_tests.support import Bench, block, outcome

OpenDatabase = Callable[[str], Database]


def filled(url: str, open_database: OpenDatabase, settings: Settings) -> Bench:
    """A database with rows in most tables."""
    bench = Bench(open_database(url), settings)
    bench.planned([2])
    claim = bench.must_claim(bench.worker())
    bench.points(claim, block(0, 1.0, 2.0), outcomes=[outcome(0)])
    return bench


def set_revision(bench: Bench, revision: str) -> None:
    with bench.database.write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_upgrade_makes_what_the_models_say(
    empty_database_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(empty_database_url)
    with pytest.raises(SchemaTooOld, match=r"has schema none.*`sevenstep db upgrade`"):
        database.check_schema()

    database.upgrade()
    database.upgrade()

    database.check_schema()
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_checks_of_enums_are_those_of_the_models(database: Database) -> None:
    """Alembic compares no CHECK constraints."""
    wanted = {
        (table.name, constraint.name, *column.type.enums)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.Enum)
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint) and constraint.name
        if str(constraint.name).endswith(f"_{column.type.name}")
    }
    with database.read() as session:
        inspector = sa.inspect(session.connection())
        found = {
            (table.name, check["name"]): check["sqltext"]
            for table in Base.metadata.sorted_tables
            for check in inspector.get_check_constraints(table.name)
        }
    assert len(wanted) > 8
    assert len(found) == len(wanted)
    for table, name, *values in wanted:
        sql = found[table, name]
        assert sql.count("'") == 2 * len(values)
        assert all(f"'{value}'" in sql for value in values)


def test_every_foreign_key_has_an_index(database: Database) -> None:
    for table in Base.metadata.sorted_tables:
        indexed = [next(iter(index.columns)).name for index in table.indexes]
        indexed += [
            next(iter(constraint.columns)).name
            for constraint in table.constraints
            if isinstance(constraint, (sa.UniqueConstraint, sa.PrimaryKeyConstraint))
        ]
        for key in table.foreign_keys:
            assert key.parent.name in indexed, f"{table.name}.{key.parent.name}"


def test_down_and_up_again(
    database_url: str, open_database: OpenDatabase, settings: Settings
) -> None:
    bench = filled(database_url, open_database, settings)
    bench.database.dispose()

    schema.downgrade(make_url(database_url), "base")
    with pytest.raises(SchemaTooOld):
        bench.database.check_schema()
    bench.database.upgrade()

    assert bench.create()


def test_studies_of_an_older_release_go_on(
    database_url: str, open_database: OpenDatabase, settings: Settings
) -> None:
    """A study under way, with curves and outcomes, on a database of the release before."""
    bench = Bench(open_database(database_url), settings)
    worker = bench.worker()
    study = bench.planned([2], worker=worker)
    claim = bench.must_claim(worker)
    bench.points(claim, block(0, 1.0, 2.0), outcomes=[outcome(0)])
    whole = bench.dump()
    bench.database.dispose()
    schema.downgrade(make_url(database_url), "0001")
    with pytest.raises(SchemaTooOld, match="has schema 0001"):
        bench.database.check_schema()

    bench.database.upgrade()

    new = {
        "study": {"result", "active_seconds", "active_since", "rerun_from"},
        "step_run": {"active_seconds_before"},
        "trial": {"iterations", "epoch_iterations", "value", "engine_reason"},
        "attempt": {"seconds", "token_sha256"},
        "worker": {"has_died"},
    }
    after = bench.dump()
    for table, rows in whole.items():
        kept = [
            {name: value for name, value in row.items() if name not in new.get(table, ())}
            for row in rows
        ]
        there = [
            {name: value for name, value in row.items() if name not in new.get(table, ())}
            for row in after[table]
        ]
        assert there == kept, table
    ActiveClock(bench.database).beat()
    bench.points(claim, block(1, 3.0), outcomes=[outcome(1)])
    bench.finish(claim)
    bench.advance(study)
    with bench.database.read() as session:
        view = studies.get(session, study)
    assert view.state is StudyState.COMPLETED
    assert view.budget.used.wall_seconds >= 0


def test_child_rows_survive_a_table_made_anew(
    database_url: str, open_database: OpenDatabase, settings: Settings
) -> None:
    """SQLite changes a column by making the table anew; ON DELETE CASCADE must not see it."""
    bench = filled(database_url, open_database, settings)
    before = bench.dump()
    bench.database.dispose()

    with schema._transaction(bench.database.url) as connection:
        operations = Operations(MigrationContext.configure(connection))
        recreate = "always" if bench.database.is_sqlite else "never"
        for table in ("study", "trial", "attempt", "curve"):
            with operations.batch_alter_table(table, recreate=recreate) as batch:
                batch.add_column(sa.Column("added", sa.Integer()))
        for table in ("study", "trial", "attempt", "curve"):
            with operations.batch_alter_table(table, recreate=recreate) as batch:
                batch.drop_column("added")

    assert bench.dump() == before


def test_a_newer_schema_is_refused_and_left_alone(
    database_url: str, open_database: OpenDatabase, settings: Settings
) -> None:
    bench = filled(database_url, open_database, settings)
    set_revision(bench, "9999")
    before = bench.dump()

    with pytest.raises(SchemaTooNew, match=r"9999.*newer sevenstep"):
        bench.database.check_schema()
    with pytest.raises(SchemaTooNew):
        bench.database.upgrade()

    assert bench.dump() == before


def test_two_upgrades_at_once(empty_database_url: str, open_database: OpenDatabase) -> None:
    databases = [open_database(empty_database_url) for _ in range(2)]
    barrier = threading.Barrier(2)

    def upgrade(database: Database) -> None:
        barrier.wait()
        database.upgrade()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(upgrade, databases))

    databases[0].check_schema()


def test_new_files_are_opened_from_two_sides_at_once(tmp_path: Path) -> None:
    """SQLite refuses one of two that change a new file's journal mode, at once, now and then."""

    def open_(path: Path, barrier: threading.Barrier) -> None:
        with closing(sqlite3.connect(path)) as connection:
            barrier.wait()
            use_write_ahead_log(connection)

    with ThreadPoolExecutor(2) as pool:
        for number in range(100):
            ways = [tmp_path / f"{number}.db"] * 2, [threading.Barrier(2)] * 2
            list(pool.map(open_, *ways))


def test_a_migration_that_fails_leaves_nothing(
    empty_database_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(empty_database_url)

    def die_before_the_commit() -> None:
        with schema._transaction(database.url) as connection:
            command.upgrade(schema.config(connection), "head")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        die_before_the_commit()

    with database.read() as session:
        assert sa.inspect(session.connection()).get_table_names() == []


def test_a_downgrade_keeps_what_the_release_before_can_read(
    database_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(database_url)
    rows = [  # id, scope, is_session, opened_by_id
        (1, "admin", False, None),
        (2, "worker", False, None),
        (3, "write", False, None),
        (4, "read", False, None),
        (5, "link", False, 1),
        (6, "read", True, 4),
        (7, "admin", True, 1),
        (8, "write", True, 3),
        (9, "write", True, None),  # from before
    ]
    with database.write() as session:
        for key, scope, is_session, opened_by in rows:
            session.add(
                Token(
                    id=key,
                    uid=f"token{key}",
                    name=scope,
                    sha256=f"{key:064x}",
                    scope=scope,
                    is_session=is_session,
                    opened_by_id=opened_by,
                    created_at=datetime(2026, 1, 1, tzinfo=UTC),
                )
            )
            session.flush()
    database.dispose()

    schema.downgrade(make_url(database_url), "0002")

    with database.write() as session:
        found = session.execute(sa.text("SELECT id, scope FROM token ORDER BY id")).all()
    assert [tuple(row) for row in found] == [(1, "admin"), (2, "worker"), (9, "session")]
