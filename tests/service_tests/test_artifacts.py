"""Artifacts: bytes before names, the last two checkpoints, nothing of another study."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from recipes.wire import CheckpointAnswer, Claim
from service.database.engine import Database
from service.errors import Conflict, Fenced, InvalidInput, NotFound
from service.repositories import artifacts as repository
from service.use_cases.artifacts import ArtifactStore, StoredFile, add, discard, find
from tests.service_tests.support import Bench


@pytest.fixture
def store(bench: Bench) -> ArtifactStore:
    return ArtifactStore(bench.settings.artifacts_dir)


@pytest.fixture
def claim(bench: Bench) -> Claim:
    bench.planned([1])
    return bench.must_claim(bench.worker())


def keep(
    bench: Bench, claim: Claim, store: ArtifactStore, file: StoredFile, epoch: int, trial: int = 0
) -> CheckpointAnswer:
    with bench.database.write() as session:
        return add(
            session,
            claim.attempt,
            fence=claim.fence,
            trial=trial,
            epoch=epoch,
            iteration=epoch * 5,
            file=file,
            store=store,
        )


def test_what_is_stored_comes_back(bench: Bench, store: ArtifactStore, claim: Claim) -> None:
    content = bytes(range(256)) * 100
    answer = keep(bench, claim, store, store.put(content), 1)

    assert answer.sha256 == hashlib.sha256(content).hexdigest()
    with bench.database.read() as session:
        stored = find(session, claim.attempt, answer.artifact)
    assert store.path(stored.uid).read_bytes() == content
    assert stored.size == len(content)


def test_the_last_two_are_kept(bench: Bench, store: ArtifactStore, claim: Claim) -> None:
    uids = [
        keep(bench, claim, store, store.put(bytes([epoch])), epoch).artifact
        for epoch in range(1, 5)
    ]
    with bench.database.read() as session:
        assert repository.all_uids(session) == set(uids[2:])
    for uid in uids[:2]:
        with pytest.raises(NotFound):
            store.path(uid)


def test_sending_it_again_keeps_one(bench: Bench, store: ArtifactStore, claim: Claim) -> None:
    first = keep(bench, claim, store, store.put(b"same"), 1)
    repeated = store.put(b"same")
    assert keep(bench, claim, store, repeated, 1) == first
    with pytest.raises(NotFound):
        store.path(repeated.uid)
    with pytest.raises(Conflict):
        keep(bench, claim, store, store.put(b"other"), 1)


def test_only_the_holder_may_store(bench: Bench, store: ArtifactStore, claim: Claim) -> None:
    before = bench.dump()
    stale = claim.model_copy(update={"fence": claim.fence + 1})
    with pytest.raises(Fenced):
        keep(bench, stale, store, store.put(b"x"), 1)
    with pytest.raises(InvalidInput, match="trial"):
        keep(bench, claim, store, store.put(b"x"), 1, trial=5)
    with pytest.raises(InvalidInput, match="epoch"):
        keep(bench, claim, store, store.put(b"x"), 0)
    assert bench.dump() == before


def test_other_studies_files_are_not_found(
    bench: Bench, store: ArtifactStore, claim: Claim
) -> None:
    answer = keep(bench, claim, store, store.put(b"mine"), 1)
    bench.create()
    stranger = bench.must_claim(bench.worker(), 1)
    with bench.database.read() as session, pytest.raises(NotFound):
        find(session, stranger.attempt, answer.artifact)


@pytest.mark.parametrize("uid", ["", ".", "..", "../test.db", "a" * 16, "%2e%2e", "\x00"])
def test_no_other_file_is_served(store: ArtifactStore, uid: str) -> None:
    with pytest.raises(NotFound):
        store.path(uid)


def test_a_file_that_a_row_names_is_not_discarded(
    bench: Bench, store: ArtifactStore, claim: Claim
) -> None:
    named, nameless = store.put(b"named"), store.put(b"nameless")
    keep(bench, claim, store, named, 1)
    for file in (named, nameless):
        discard(bench.database, store, file.uid)
    assert store.path(named.uid).read_bytes() == b"named"
    with pytest.raises(NotFound):
        store.path(nameless.uid)


def test_a_file_stays_where_the_database_cannot_be_asked(
    tmp_path: Path, store: ArtifactStore
) -> None:
    away = Database(f"sqlite:///{tmp_path / 'without tables.db'}")
    file = store.put(b"who knows")
    discard(away, store, file.uid)
    away.dispose()
    assert store.path(file.uid).read_bytes() == b"who knows"


def test_what_no_row_names_is_swept(bench: Bench, store: ArtifactStore, claim: Claim) -> None:
    named = keep(bench, claim, store, store.put(b"named"), 1).artifact
    store.put(b"never named")
    upload = store.upload()
    upload.write(b"half")
    aborted = store.upload()
    aborted.abort()

    with bench.database.read() as session:
        assert store.sweep(repository.all_uids(session)) == 2
    assert store.path(named).read_bytes() == b"named"
    upload.abort()
