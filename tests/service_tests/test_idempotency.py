"""``Idempotency-Key``: what is sent again is answered again, and done once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from service.access import TokenScope
from service.database.engine import Database
from service.database.models import KeptAnswer, Study
from service.server.app import create_app
from service.settings import Settings
from service.use_cases import tokens
from tests.service_tests.served import HOST, STUDY, Served, served

STUDIES = "/api/v1/studies"


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template) as client:
        yield client


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def num_studies(client: Served) -> int:
    return len(client.get(STUDIES).json()["items"])


def test_a_study_is_created_once(client: Served) -> None:
    first = client.post(STUDIES, json=STUDY, headers=key("a"))
    again = client.post(STUDIES, json=STUDY, headers=key("a"))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert num_studies(client) == 1
    assert client.post(STUDIES, json=STUDY, headers=key("b")).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [(STUDIES, {**STUDY, "name": "other"}), (f"{STUDIES}?x=1", STUDY)],
)
def test_a_key_is_for_one_request(client: Served, path: str, body: dict[str, Any]) -> None:
    client.post(STUDIES, json=STUDY, headers=key("a"))
    answer = client.post(path, json=body, headers=key("a"))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert num_studies(client) == 1


def test_a_verb_is_answered_as_it_was_then(client: Served) -> None:
    study = client.create()["id"]
    paused = client.post(f"{STUDIES}/{study}/pause", headers=key("p"))
    client.post(f"{STUDIES}/{study}/resume", headers=key("r"))
    again = client.post(f"{STUDIES}/{study}/pause", headers=key("p"))
    assert again.content == paused.content
    assert client.get(f"{STUDIES}/{study}").json()["state"] == "pending"  # it was not done again


def test_under_another_condition_it_is_another_request(client: Served) -> None:
    path = f"{STUDIES}/{client.create()['id']}/pause"
    seen = {"If-Match": "*"}
    first = client.post(path, headers={**key("a"), **seen})
    assert first.status_code == 200
    assert client.post(path, headers={**key("a"), **seen}).content == first.content
    for other in ({"If-Match": '"0"'}, {}):
        answer = client.post(path, headers={**key("a"), **other})
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_what_one_token_sent_is_not_answered_to_another(client: Served) -> None:
    mine = client.post(STUDIES, json=STUDY, headers=key("a")).json()["id"]
    other = {"Authorization": f"Bearer {client.token(TokenScope.WRITE)}"}
    theirs = client.post(STUDIES, json=STUDY, headers={**key("a"), **other}).json()["id"]
    assert mine != theirs


def test_an_error_is_not_kept(client: Served) -> None:
    bad = client.post(STUDIES, json={**STUDY, "set": {"lr": -1}}, headers=key("a"))
    assert bad.status_code == 422
    missing = client.post(f"{STUDIES}/{'z' * 16}/pause", headers=key("a"))
    assert missing.status_code == 404
    assert client.post(STUDIES, json=STUDY, headers=key("a")).status_code == 201


@pytest.mark.parametrize("text", ["", "with space", "x" * 256, "caf\u00e9", "tab\t"])
def test_a_key_is_visible_ascii(client: Served, text: str) -> None:
    answer = client.post(STUDIES, json=STUDY, headers={b"Idempotency-Key": text.encode("latin-1")})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert num_studies(client) == 0


def test_a_key_is_forgotten_in_time(tmp_path: Path, sqlite_template: Path) -> None:
    with served(tmp_path / "data", sqlite_template, kept_answer_hours=1e-9) as client:
        for _ in range(3):
            client.post(STUDIES, json=STUDY, headers=key("a"))
        assert num_studies(client) == 3
        with client.app.state.context.database.read() as session:  # type: ignore[attr-defined]
            assert session.scalar(select(func.count()).select_from(KeptAnswer)) == 1


def test_of_many_at_once_one_is_done(database_url: str, tmp_path: Path) -> None:
    """Two service processes' worth of applications on one database, a dozen tries at once."""
    num_apps = 1 if database_url.startswith("sqlite") else 2
    with ExitStack() as stack:
        clients = []
        for number in range(num_apps):
            settings = Settings(
                data_dir=tmp_path / str(number), database_url=database_url, run_conductor=False
            )
            app = create_app(settings)
            clients.append(stack.enter_context(Served(app, base_url=HOST)))
        database: Database = clients[0].app.state.context.database  # type: ignore[attr-defined]
        with database.write() as session:
            secret = tokens.replace_token(session, name="t", scope=TokenScope.WRITE)
        headers = {"Authorization": f"Bearer {secret}", **key("one")}
        together = threading.Barrier(12)

        def create(number: int) -> tuple[int, str]:
            together.wait()
            answer = clients[number % num_apps].post(STUDIES, json=STUDY, headers=headers)
            return answer.status_code, answer.json().get("id") or answer.json()["code"]

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(create, range(12)))
        made = {said for status, said in answers if status == 201}
        refused = {said for status, said in answers if status != 201}
        assert len(made) == 1
        assert refused <= {"idempotency_key_in_use"}
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(Study)) == 1
        final = clients[-1].post(STUDIES, json=STUDY, headers=headers)
        assert (final.status_code, final.json()["id"]) == (201, made.pop())


def test_a_deleted_study_is_in_no_kept_answer(client: Served) -> None:
    kept = client.post(STUDIES, json={**STUDY, "name": "kept"}, headers=key("k")).json()["id"]
    study = client.post(STUDIES, json=STUDY, headers=key("a")).json()["id"]
    client.post(f"{STUDIES}/{study}/cancel", headers=key("c"))
    assert client.delete(f"{STUDIES}/{study}", params={"confirm": "first"}).status_code == 204
    with client.app.state.context.database.read() as session:  # type: ignore[attr-defined]
        (answer,) = session.scalars(select(KeptAnswer))
        assert kept in answer.body
    assert client.post(STUDIES, json=STUDY, headers=key("a")).json()["id"] != study
