from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from service.api.routing import MAX_INLINE_BYTES, StrictRequest
from service.streams import cursors
from service.web.problems import InvalidJson
from tests.service_tests.served import STUDY, Served, served


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template, max_body_bytes=64 * 1024) as client:
        yield client


def num_studies(client: Served) -> int:
    return len(client.get("/api/v1/studies").json()["items"])


def test_a_study_is_created_and_found_again(client: Served) -> None:
    answer = client.post("/api/v1/studies", json=STUDY)
    assert answer.status_code == 201
    study = answer.json()
    assert answer.headers["location"] == f"/api/v1/studies/{study['id']}"
    assert study["state"] == "pending"
    found = client.get(answer.headers["location"]).json()
    assert {**found, "budget": study["budget"]} == study  # its time goes on
    assert client.get("/api/v1/studies").json()["items"][0]["id"] == study["id"]
    for part in ("steps", "trials", "findings", "report.json", "report.md", "trials.csv"):
        assert client.get(f"/api/v1/studies/{study['id']}/{part}").status_code == 200


def test_cancelling_ends_a_study_once(client: Served) -> None:
    study = client.create()["id"]
    assert client.post(f"/api/v1/studies/{study}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/api/v1/studies/{study}/cancel").status_code == 200


@pytest.mark.parametrize("padding", [0, MAX_INLINE_BYTES], ids=["in the loop", "in a thread"])
def test_a_body_reads_alike_however_long_it_is(padding: int) -> None:
    def read(body: bytes) -> Any:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        return anyio.run(StrictRequest({"type": "http", "headers": []}, receive).json)

    good = b'{"lr": 0.1' + b" " * padding + b"}"
    assert read(good) == {"lr": 0.1}
    with pytest.raises(InvalidJson, match='send the string "NaN"'):
        read(good.replace(b"0.1", b"NaN"))


@pytest.mark.parametrize(
    ("body", "field", "word"),
    [
        ('{"name": "n", "task": "digits", "set": {"lr": NaN}}', "body", '"NaN"'),
        ('{"name": "n", "task": "digits", "set": {"lr": -Infinity}}', "body", '"-Infinity"'),
        ('{"name": "n", ', "body", "not JSON"),
        ('{"name": "n"}', "task", "required"),
        ('{"name": "n", "task": "digits", "seed": -1}', "seed", "greater"),
        ('{"name": "n", "task": "digits", "colour": 1}', "colour", "not permitted"),
        (
            '{"name": "n", "task": "digits",'
            ' "space": {"lr": {"kind": "float", "low": 1, "high": 0.1}}}',
            "space.lr",
            "below high",
        ),
        (
            '{"name": "n", "task": "digits",'
            ' "space": {"lr": {"kind": "float", "low": 0, "high": 1, "log": true}}}',
            "space.lr",
            "log range cannot start at 0",
        ),
        ('{"name": "n", "task": "/tmp/a.py:A"}', "task", "--allow-task-files"),
        ('{"name": "n", "task": "os.path:join"}', "task", "SEVENSTEP_ALLOWED_TASK_MODULES"),
        ('{"name": "n", "task": "../x"}', "task", "--allow-task-files"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    client: Served, body: str, field: str, word: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/studies", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["field"].startswith(field)
    assert word in problem["detail"] + json.dumps(problem["errors"], ensure_ascii=False).replace(
        '\\"', '"'
    )
    assert num_studies(client) == 0


def test_a_refusal_never_repeats_what_was_sent(client: Served) -> None:
    answer = client.post("/api/v1/studies", json={**STUDY, "seed": "my-password"})
    assert answer.status_code == 422
    assert "my-password" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/studies/zzzzzzzzzzzzzzzz",
        "/api/v1/studies/%2e%2e%2fetc",
        "/api/v1/studies/a'b",
        "/api/v1/nothing",
        "/api/v1/studies/zzzzzzzzzzzzzzzz/events",
        "/api/v1/studies/zzzzzzzzzzzzzzzz/trials/0/curves",
        "/api/v1/studies/zzzzzzzzzzzzzzzz/figures/step-1-a.svg",
        "/api/v1/studies?cursor=nonsense",
        "/api/v1/studies?limit=0",
        "/api/v1/studies/zzzzzzzzzzzzzzzz/steps/9",
    ],
)
def test_what_is_not_there_is_a_problem_document(client: Served, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize("name", ["größe", "net:lr", "🧪" * 200], ids=["umlauts", "colon", "long"])
def test_a_list_goes_on_whatever_it_is_sorted_by(client: Served, name: str) -> None:
    study = client.create()["id"]
    query = {"sort": name, "cursor": cursors.encode(f"trials by {name}", 50)}
    for base in ("/api/v1/studies", "/studies"):
        answer = client.get(f"{base}/{study}/trials", params=query)
        assert answer.status_code == 200, answer.text


def test_a_wrong_method_is_a_problem_document(client: Served) -> None:
    answer = client.put("/api/v1/studies", json={})
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_too_large_is_cut_off(client: Served, announced: bool) -> None:
    chunks = [b" " * 1024] * 80
    content: Any = b"".join(chunks) if announced else iter(chunks)
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/studies", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert num_studies(client) == 0


def test_task_files_are_taken_where_they_are_allowed(
    tmp_path: Path, sqlite_template: Path
) -> None:
    with served(tmp_path / "open", sqlite_template, allow_task_files=True) as client:
        client.create(task="/somewhere/task.py:Mine")
        answer = client.post("/api/v1/studies", json={"name": "n", "task": "task.py:Mine"})
        assert "absolute" in answer.json()["detail"]
    prefixes = ("mine.tasks",)
    with served(tmp_path / "some", sqlite_template, allowed_task_modules=prefixes) as client:
        client.create(task="mine.tasks.vision:Net")
        answer = client.post("/api/v1/studies", json={"name": "n", "task": "mine.tasksx:Net"})
        assert answer.status_code == 422


def register(client: Served) -> str:
    body = {"name": "w", "slots": 1, "version": "0"}
    return str(client.post("/api/v1/workers/register", json=body).json()["worker"])


def test_a_waiting_claim_is_answered_when_work_comes(client: Served) -> None:
    worker = register(client)
    answers: list[tuple[int, float]] = []

    def claim() -> None:
        body = {"slot": 0, "wait_seconds": 10}
        answer = client.post(f"/api/v1/workers/{worker}/claim", json=body)
        answers.append((answer.status_code, time.monotonic()))

    waiting = threading.Thread(target=claim)
    waiting.start()
    time.sleep(0.3)
    created = time.monotonic()
    client.create()
    waiting.join(8)
    assert answers
    assert answers[0][0] == 200
    assert answers[0][1] - created < 2


def test_a_claim_with_nothing_to_do_is_empty(client: Served) -> None:
    worker = register(client)
    answer = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0, "wait_seconds": 0.05})
    assert answer.status_code == 204
    assert answer.content == b""
    unknown = client.post(
        "/api/v1/workers/zzzzzzzzzzzzzzzz/claim", json={"slot": 0, "wait_seconds": 0}
    )
    assert unknown.status_code == 404


def test_a_stale_fence_is_refused(client: Served) -> None:
    client.create()
    worker = register(client)
    claim = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0}).json()
    stale = {"fence": claim["fence"] + 1}
    answer = client.post(f"/api/v1/attempts/{claim['attempt']}/heartbeat", json=stale)
    assert answer.status_code == 409
    assert answer.json()["code"] == "fenced"
    good = {"fence": claim["fence"]}
    answer = client.post(f"/api/v1/attempts/{claim['attempt']}/heartbeat", json=good)
    assert answer.json()["command"] == "continue"


def test_a_checkpoint_with_a_wrong_digest_leaves_nothing(client: Served, tmp_path: Path) -> None:
    client.create()
    worker = register(client)
    claim = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0}).json()
    answer = client.post(
        f"/api/v1/attempts/{claim['attempt']}/artifacts",
        params={"fence": claim["fence"], "trial": 0, "epoch": 1, "iteration": 1},
        content=b"bytes",
        headers={"X-Content-SHA256": "0" * 64},
    )
    assert answer.status_code == 422
    assert list((tmp_path / "data" / "artifacts").iterdir()) == []


def test_health_and_readiness_are_open(client: Served) -> None:
    headers = {"Authorization": ""}
    assert client.get("/healthz", headers=headers).json()["service"] == "sevenstep"
    assert client.get("/readyz", headers=headers).json() == {"ready": True, "conductor": "here"}


def test_pages_work_for_a_fresh_study(client: Served) -> None:
    study = client.create(name="<b>bold</b>")["id"]
    for path in ("/studies", f"/studies/{study}", f"/studies/{study}/steps/1", "/workers"):
        page = client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "<b>bold</b>" not in page.text
    page = client.get(f"/studies/{study}").text
    assert page.count('class="rung ') == 7
    assert "No worker is connected" in page


def test_a_missing_page_is_a_page(client: Served) -> None:
    page = client.get("/studies/zzzzzzzzzzzzzzzz", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<h1>Not found</h1>" in page.text
