"""Uploads of artifacts: looked at before their bytes, and nothing left of one that is cut off."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipes.wire import Claim
from service.access import TokenScope
from service.errors import NoRoom
from service.repositories import artifacts as repository
from service.use_cases import artifacts
from service.use_cases.artifacts import ArtifactStore, UploadAborted
from service.use_cases.quota import Quota
from tests.processes import wait_for
from tests.service_tests.served import Served, served
from tests.service_tests.support import Bench

CONTENT = b"x" * 3_000_000
"""More than a chunk, so that a part of it is on the disk before the rest has come."""


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(
        tmp_path / "data",
        sqlite_template,
        max_study_artifacts_bytes=4_000_000,
        run_conductor=False,
    ) as made:
        yield made


def claimed(client: Served) -> Claim:
    context: Any = client.app.state.context  # type: ignore[attr-defined]
    bench = Bench(context.database, context.settings)
    bench.planned([1])
    return bench.must_claim(bench.worker())


@pytest.fixture
def claim(client: Served) -> Claim:
    return claimed(client)


def kept(client: Served) -> list[Path]:
    context: Any = client.app.state.context  # type: ignore[attr-defined]
    return list(context.settings.artifacts_dir.iterdir())


class Sender:
    """Speaks to the application as its server does, a message at a time."""

    def __init__(self, client: Served, claim: Claim, **query: int) -> None:
        asked = {"fence": claim.fence, "trial": 0, "epoch": 1, "iteration": 1, **query}
        headers = {
            "host": "127.0.0.1:8080",
            "authorization": f"Bearer {client.token(TokenScope.ADMIN)}",
            "content-type": "application/octet-stream",
            "content-length": str(len(CONTENT)),
            "x-content-sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        path = f"/api/v1/attempts/{claim.attempt}/artifacts"
        self.app: Any = client.app
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": "&".join(f"{name}={value}" for name, value in asked.items()).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        self.messages: list[dict[str, Any]] = [{"type": "http.request", "body": CONTENT}]
        self.num_asked = 0
        self.status = 0

    async def receive(self) -> dict[str, Any]:
        self.num_asked += 1
        return self.messages.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)

    async def upload(self) -> int:
        await self.app(self.scope, self.receive, self.send)
        return self.status


@pytest.mark.parametrize(("query", "status"), [({"fence": 99}, 409), ({"trial": 7}, 422)])
def test_the_attempt_is_looked_at_before_any_byte(
    client: Served, claim: Claim, query: dict[str, int], status: int
) -> None:
    sender = Sender(client, claim, **query)
    assert asyncio.run(sender.upload()) == status
    assert sender.num_asked == 0
    assert kept(client) == []


@pytest.mark.parametrize(("room", "status"), [(len(CONTENT) - 1, 507), (len(CONTENT), 200)])
def test_the_quota_is_looked_at_before_any_byte(
    tmp_path: Path, sqlite_template: Path, room: int, status: int
) -> None:
    limits = {"max_study_artifacts_bytes": room, "run_conductor": False}
    with served(tmp_path / "data", sqlite_template, **limits) as client:
        sender = Sender(client, claimed(client))
        assert asyncio.run(sender.upload()) == status
        is_let_in = status == 200
        assert sender.num_asked == is_let_in
        assert len(kept(client)) == is_let_in


def test_what_may_take_the_place_of_another_is_let_in(bench: Bench) -> None:
    """A third checkpoint lets the first one go: only when it is there is the sum known."""
    bench.planned([2])
    claim = bench.must_claim(bench.worker())
    store, quota = ArtifactStore(bench.settings.artifacts_dir), Quota(study_bytes=1000)
    for epoch in (1, 2):
        with bench.database.write() as session:
            artifacts.add(
                session,
                claim.attempt,
                fence=claim.fence,
                trial=0,
                epoch=epoch,
                iteration=epoch,
                file=store.put(bytes([epoch]) * 400),
                store=store,
                quota=quota,
            )

    def check(trial: int, size: int) -> None:
        with bench.database.read() as session:
            artifacts.check_sender(
                session, claim.attempt, fence=claim.fence, trial=trial, size=size, quota=quota
            )

    check(0, 600)
    check(1, 200)
    with pytest.raises(NoRoom):
        check(1, 201)
    with pytest.raises(NoRoom):
        check(0, 1001)


def test_a_sender_that_hangs_up_leaves_nothing(client: Served, claim: Claim) -> None:
    sender = Sender(client, claim)
    sender.messages = [
        {"type": "http.request", "body": CONTENT[:2_000_000], "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert asyncio.run(sender.upload()) == 400
    assert kept(client) == []


def test_an_upload_that_is_cancelled_once_its_file_is_whole_leaves_no_nameless_one(
    client: Served, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow, and the service ends between the file's own flush and its folder's."""
    is_at_it, may_go_on = threading.Event(), threading.Event()
    fsync, num_calls = os.fsync, 0

    def slow(descriptor: int) -> None:
        nonlocal num_calls
        num_calls += 1
        if num_calls == 2:
            is_at_it.set()
            assert may_go_on.wait(20)
        fsync(descriptor)

    async def cancelled() -> None:
        task = asyncio.create_task(Sender(client, claim).upload())
        assert await asyncio.to_thread(is_at_it.wait, 20)
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, may_go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    def named() -> set[str]:
        context: Any = client.app.state.context  # type: ignore[attr-defined]
        with context.database.read() as session:
            return repository.all_uids(session)

    monkeypatch.setattr(os, "fsync", slow)
    asyncio.run(cancelled())
    wait_for(lambda: {path.name for path in kept(client)} == named(), seconds=10)


@pytest.mark.parametrize("when", ["writes", "has written nothing"])
def test_what_comes_after_the_end_of_an_upload_is_not_kept(tmp_path: Path, when: str) -> None:
    store = ArtifactStore(tmp_path)
    upload = store.upload()
    if when == "writes":
        upload.write(b"half")
    upload.abort()
    with pytest.raises(UploadAborted):
        upload.write(b"more")
    with pytest.raises(UploadAborted):
        upload.finish()
    upload.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_whole_is_not_aborted(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    upload = store.upload()
    upload.write(b"all")
    stored = upload.finish()
    upload.abort()
    assert store.path(stored.uid).read_bytes() == b"all"
