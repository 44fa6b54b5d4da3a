"""A deleted study is gone at once and whole, however the clearing behind it is cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.failpoint import VARIABLE
from recipes.study import StudyState
from recipes.wire import ArtifactKind
from service.database.engine import Database
from service.errors import InvalidState, NotFound
from service.repositories import events as event_repository
from service.repositories import removal
from service.repositories import studies as repository
from service.settings import Settings
from service.use_cases import studies
from service.use_cases.artifacts import ArtifactStore, add
from service.use_cases.deletion import delete_study
from service.use_cases.retention import Housekeeping
from tests.service_tests.support import Bench, block, outcome

OF_NO_STUDY = {"worker", "token", "kept_answer"}


def ended(bench: Bench, *, members: int = 3, points: int = 40) -> str:
    """A cancelled study with curves, outcomes, artifacts and events of each of its trials."""
    worker = bench.worker()
    study = bench.planned([members], worker)
    claim = bench.must_claim(worker)
    values = [1 / (each + 1) for each in range(points)]
    for metric in ("loss", "accuracy"):
        bench.points(claim, *(block(trial, *values, metric=metric) for trial in range(members)))
    store = ArtifactStore(bench.settings.artifacts_dir)
    for trial in range(members):
        with bench.database.write() as session:
            add(
                session,
                claim.attempt,
                fence=claim.fence,
                trial=trial,
                kind=ArtifactKind.SNAPSHOT,
                epoch=1,
                iteration=5,
                file=store.put(bytes([trial])),
                store=store,
            )
    bench.points(claim, outcomes=[outcome(0)])
    with bench.database.write() as session:
        studies.cancel(session, study)
    return study


def delete(bench: Bench, study: str) -> None:
    with bench.database.write() as session:
        delete_study(session, study)


def opened(bench: Bench) -> Bench:
    """The bench with a database that removes files, as a service's does."""
    store = ArtifactStore(bench.settings.artifacts_dir)
    database = Database(
        bench.database.url.render_as_string(hide_password=False), delete_file=store.delete
    )
    return Bench(database, bench.settings)


def clear(bench: Bench) -> None:
    own = opened(bench)
    housekeeping = Housekeeping(own.database, settings=bench.settings)
    while housekeeping.look():
        pass
    own.database.dispose()


def left(bench: Bench) -> dict[str, int]:
    return {name: len(rows) for name, rows in bench.dump().items() if rows}


def test_a_deleted_study_is_found_by_nobody(bench: Bench) -> None:
    study, other = ended(bench), bench.create()
    delete(bench, study)

    with bench.database.read() as session:
        for look in (repository.require, repository.require_id, event_repository.latest):
            with pytest.raises(NotFound):
                look(session, study)
        page = repository.page(session, state=None, before=None, limit=10)
        assert [row.uid for row in page] == [other]
        assert repository.count_by_state(session) == {StudyState.PENDING: 1}
        assert [head.uid for head in event_repository.heads_open(session, 0)] == [other]
    with pytest.raises(NotFound):
        delete(bench, study)


def test_nothing_of_it_stays(bench: Bench) -> None:
    survivor = ended(bench)
    kept, files = left(bench), set(bench.settings.artifacts_dir.iterdir())
    study = ended(bench)
    assert left(bench) != kept
    delete(bench, study)
    clear(bench)

    def without(counts: dict[str, int]) -> dict[str, int]:
        return {name: count for name, count in counts.items() if name not in OF_NO_STUDY}

    assert without(left(bench)) == without(kept)
    assert set(bench.settings.artifacts_dir.iterdir()) == files
    with bench.database.read() as session:
        assert repository.require(session, survivor).uid == survivor


def test_one_that_has_not_ended_stays(bench: Bench) -> None:
    study = bench.planned([1])
    before = bench.dump()
    with pytest.raises(InvalidState, match="cancel it"):
        delete(bench, study)
    assert bench.dump() == before


def test_every_slice_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "CURVES_AT_ONCE", 2)
    monkeypatch.setattr(removal, "ROWS_AT_ONCE", 2)
    study = ended(bench, members=4, points=10)
    delete(bench, study)
    with bench.database.read() as session:
        (key,) = removal.deleted_studies(session)
    num_slices, gone = 0, False
    while not gone:
        before = sum(left(bench).values())
        with bench.database.write() as session:
            gone = removal.slice_of_study(session, key) is None
        num_slices += 1
        # Two rows, and what goes with each by cascade: a curve's points, a trial's memberships.
        assert before - sum(left(bench).values()) <= 2 * (10 + 2)
    assert num_slices > 10
    with bench.database.write() as session:
        assert removal.slice_of_study(session, key) is None  # another conductor was faster


KILLED = """
import sys
from pathlib import Path
from service.use_cases.artifacts import ArtifactStore
from service.database.engine import Database
from service.use_cases.deletion import delete_study
from service.repositories import removal
from service.use_cases.retention import Housekeeping
from service.settings import Settings
url, folder, study = sys.argv[1:]
removal.CURVES_AT_ONCE = removal.ROWS_AT_ONCE = 1
settings = Settings(data_dir=Path(folder))
database = Database(url, delete_file=ArtifactStore(settings.artifacts_dir).delete)
with database.write() as session:
    delete_study(session, study)
housekeeping = Housekeeping(database, settings=settings)
while housekeeping.look():
    pass
"""


@pytest.mark.parametrize(
    "place", ["delete.after_commit@{}@1", "delete.after_slice@{}@1", "delete.after_slice@{}@7"]
)
def test_killed_at_any_slice_it_is_still_gone_whole(
    bench: Bench, settings: Settings, tmp_path: Path, place: str
) -> None:
    study = ended(bench, members=2, points=5)
    url = bench.database.url.render_as_string(hide_password=False)
    marker = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(settings.data_dir), study],
        env={**os.environ, VARIABLE: place.format(marker)},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL

    with bench.database.read() as session, pytest.raises(NotFound):
        repository.require(session, study)
    assert left(bench)["study"] == 1
    clear(bench)
    assert set(left(bench)) <= OF_NO_STUDY
    assert list(settings.artifacts_dir.iterdir()) == []


def test_what_a_late_worker_sends_does_not_stay(bench: Bench) -> None:
    worker = bench.worker()
    study = bench.planned([1], worker)
    claim = bench.must_claim(worker)
    with bench.database.write() as session:
        studies.cancel(session, study)
    delete(bench, study)
    bench.points(claim, block(0, 1.0))  # it had not heard yet
    clear(bench)
    assert set(left(bench)) <= OF_NO_STUDY
    with pytest.raises(NotFound):
        bench.points(claim, block(0, 1.0))
