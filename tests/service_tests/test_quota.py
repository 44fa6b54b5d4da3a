"""Artifacts have a limit, and a full disk is told as one; nothing half stays in either case."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from recipes.wire import Claim
from service.access import TokenScope
from service.errors import NoRoom
from service.repositories.counts import artifact_bytes
from service.use_cases import artifacts
from service.use_cases.artifacts import ArtifactStore
from service.use_cases.quota import Quota
from tests.service_tests.served import Served, served
from tests.service_tests.support import Bench


def keep(bench: Bench, claim: Claim, epoch: int, size: int, quota: Quota, trial: int = 0) -> None:
    store = ArtifactStore(bench.settings.artifacts_dir)
    with bench.database.write() as session:
        artifacts.add(
            session,
            claim.attempt,
            fence=claim.fence,
            trial=trial,
            epoch=epoch,
            iteration=epoch,
            file=store.put(bytes([epoch]) * size),
            store=store,
            quota=quota,
        )


def test_a_study_has_its_share(bench: Bench) -> None:
    bench.planned([2])
    claim = bench.must_claim(bench.worker())
    quota = Quota(study_bytes=1000)
    keep(bench, claim, 1, 400, quota)
    keep(bench, claim, 2, 400, quota)
    keep(bench, claim, 3, 600, quota)  # the third takes the place of the first
    before = bench.dump()
    with pytest.raises(NoRoom, match="SEVENSTEP_MAX_STUDY_ARTIFACTS_BYTES"):
        keep(bench, claim, 1, 1, quota, trial=1)
    assert bench.dump() == before


def test_all_studies_share_the_whole(bench: Bench) -> None:
    bench.planned([1])
    first = bench.must_claim(bench.worker())
    bench.planned([1])
    second = bench.must_claim(bench.worker(), 1)
    quota = Quota(study_bytes=900, all_bytes=1000)
    keep(bench, first, 1, 700, quota)
    with pytest.raises(NoRoom, match="SEVENSTEP_MAX_ALL_ARTIFACTS_BYTES"):
        keep(bench, second, 1, 700, quota)
    keep(bench, second, 1, 300, quota)


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(
        tmp_path / "data", sqlite_template, max_study_artifacts_bytes=4096, run_conductor=False
    ) as made:
        yield made


def test_the_answer_is_507_and_nothing_stays(client: Served, tmp_path: Path) -> None:
    context: Any = client.app.state.context  # type: ignore[attr-defined]
    bench = Bench(context.database, context.settings)
    bench.planned([1])
    claim = bench.must_claim(bench.worker())
    client.headers["Authorization"] = f"Bearer {client.token(TokenScope.ADMIN)}"
    content = b"x" * 5000
    answer = client.post(
        f"/api/v1/attempts/{claim.attempt}/artifacts",
        params={"fence": claim.fence, "trial": 0, "epoch": 1, "iteration": 1},
        content=content,
        headers={
            "X-Content-SHA256": hashlib.sha256(content).hexdigest(),
            "Content-Type": "application/octet-stream",
        },
    )
    assert answer.status_code == 507
    assert answer.json()["code"] == "no_room"
    assert "SEVENSTEP_MAX_STUDY_ARTIFACTS_BYTES" in answer.json()["detail"]
    assert list((tmp_path / "data" / "artifacts").iterdir()) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from service.use_cases.artifacts import ArtifactStore
from service.errors import NoRoom
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = ArtifactStore(Path(sys.argv[1]))
assert store.put(b"x" * 90_000).size == 90_000
upload = store.upload()
try:
    for _ in range(30):
        upload.write(b"x" * 10_000)
    upload.finish()
except NoRoom as error:
    upload.abort()
    print(error)
"""


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the system refuses the same write."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "takes no more" in done.stdout
    assert "make room" in done.stdout
    (kept,) = tmp_path.iterdir()
    assert os.path.getsize(kept) == 90_000


def test_two_studies_at_once_do_not_pass_the_whole(bench: Bench) -> None:
    claims = []
    for slot in (0, 1):
        bench.planned([1])
        claims.append(bench.must_claim(bench.worker(), slot))
    quota = Quota(all_bytes=1000)
    both_are_in = threading.Barrier(2)
    store = ArtifactStore(bench.settings.artifacts_dir)

    def send(claim: Claim) -> bool:
        file = store.put(b"x" * 600)
        try:
            with bench.database.write() as session:
                if not bench.database.is_sqlite:  # there the second one cannot even begin
                    session.execute(select(1))
                    both_are_in.wait(20)
                artifacts.add(
                    session,
                    claim.attempt,
                    fence=claim.fence,
                    trial=0,
                    epoch=1,
                    iteration=1,
                    file=file,
                    store=store,
                    quota=quota,
                )
                time.sleep(0.2)  # the commit comes after the other one has looked
        except NoRoom:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, claims)) == [False, True]
    with bench.database.read() as session:
        assert artifact_bytes(session) == 600
