"""Every route for everybody who could ask: what it answers is what the documented table says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from service.access import Access, TokenScope
from service.pages.forms import FIELD, form_token
from service.server.app import create_app
from service.settings import Settings
from service.use_cases import tokens
from service.web.scopes import ROUTES, SESSIONS_FOR, TOKENS_FOR, Need, RouteTable
from tests.architecture_tests.repository import REFERENCE, section
from tests.service_tests.served import HOST, Served, served

TABLE = RouteTable(create_app(Settings(data_dir=Path("/nonexistent"))))
ALL = [(method, route.name) for route in TABLE.routes for method in sorted(route.methods)]
PATHS = {route.name: route.path for route in TABLE.routes}
VALUES = {"number": "1", "verb": "pause", "name": "step-1-loss", "token": "a" * 16}
BODIES: dict[str, Any] = {
    "register_worker": {"name": "w", "slots": 1, "version": "0"},
    "claim_attempt": {"slot": 7, "wait_seconds": 0},
    "attempt_heartbeat": {"fence": 2},
    "add_points": {"fence": 2},
    "finish_attempt": {"fence": 2, "state": "failed"},
    "create_token": {"name": "t", "scope": "read"},
    "create_study": {"name": "s", "task": "digits"},
    "skip_step": {"reason": "because"},
}


@dataclass
class House:
    """A service with a study, a worker, and two attempts it claimed."""

    client: Served
    study: str
    worker: str
    attempts: list[dict[str, str]]

    def address(self, path: str) -> str:
        values = {
            **VALUES,
            "study": self.study,
            "study_id": self.study,
            "worker": self.worker,
            "worker_id": self.worker,
            "attempt": self.attempts[0]["attempt"],
            "artifact": "a" * 16,
        }
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "1"), path)

    def session(self, scope: TokenScope) -> str:
        with self.client.app.state.context.database.write() as session:  # type: ignore[attr-defined]
            _, secret = tokens.issue(session, name="a person's", scope=scope)
            opened = tokens.open_session(session, secret)
        assert opened is not None
        return opened

    def form_token(self, secret: str) -> str:
        """What the forms of a session carry."""
        cookie = f"{self.client.cookie}={secret}".encode()
        scope = {"type": "http", "app": self.client.app, "headers": [(b"cookie", cookie)]}
        return form_token(Request(scope))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with served(folder / "data", sqlite_template, run_conductor=False) as client:
        study = client.create()["id"]
        client.create(name="second")
        made = client.post("/api/v1/workers/register", json=BODIES["register_worker"]).json()
        claims = [
            client.post(f"/api/v1/workers/{made['worker']}/claim", json={"slot": slot}).json()
            for slot in (0, 1)
        ]
        client.app.state.context.closing.set()  # type: ignore[attr-defined]  # streams end at once
        del client.headers["Authorization"]
        yield House(client, study, made["worker"], claims)


def ask(house: House, method: str, name: str, secret: str | None, *, by_cookie: bool) -> Any:
    """One request to a route with a secret, or with none; a form as its page would send it."""
    headers = {"Origin": HOST} if by_cookie else {}
    if secret is not None:
        headers["Cookie" if by_cookie else "Authorization"] = (
            f"{house.client.cookie}={secret}" if by_cookie else f"Bearer {secret}"
        )
    options: dict[str, Any] = {"json": BODIES.get(name, {})}
    if ROUTES.get(name) in (Need.FORM, Need.SESSION):
        options = {"data": {FIELD: house.form_token(secret or "")}}
    if method in ("GET", "HEAD", "DELETE"):
        options = {}
    return house.client.request(
        method,
        house.address(PATHS[name]),
        headers=headers,
        follow_redirects=False,
        **options,
    )


def is_let_in(answer: Any) -> bool:
    # The sign-in page's own 401 asks for no bearer token: that request was let in, and failed.
    return answer.status_code != 403 and "www-authenticate" not in answer.headers


@pytest.mark.parametrize(("method", "name"), ALL)
def test_a_route_is_good_for_those_it_names_and_nobody_else(
    house: House, method: str, name: str
) -> None:
    need = ROUTES[name]
    no_secret = ask(house, method, name, None, by_cookie=False)
    assert is_let_in(no_secret) == (need is Need.NOTHING)
    assert is_let_in(no_secret) or no_secret.status_code == 401

    for scope in (TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN, TokenScope.WORKER):
        answer = ask(house, method, name, house.client.token(scope), by_cookie=False)
        assert is_let_in(answer) == (scope in TOKENS_FOR[need]), (scope, answer.text)
    for index, claim in enumerate(house.attempts):
        answer = ask(house, method, name, claim["token"], by_cookie=False)
        is_its_own = TokenScope.ATTEMPT in TOKENS_FOR[need] and (
            index == 0 or need is Need.NOTHING
        )
        assert is_let_in(answer) == is_its_own, (index, answer.text)
    for scope in (TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN):
        answer = ask(house, method, name, house.session(scope), by_cookie=True)
        is_reading = need is Need.ADMIN and scope is TokenScope.ADMIN and method == "GET"
        assert is_let_in(answer) == (scope in SESSIONS_FOR[need] or is_reading), scope
        swapped = ask(house, method, name, house.session(scope), by_cookie=False)
        assert is_let_in(swapped) == (need is Need.NOTHING)


@pytest.mark.parametrize("name", [name for name, need in ROUTES.items() if need is Need.FORM])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:1"])
def test_a_form_from_elsewhere_changes_nothing(house: House, name: str, origin: str) -> None:
    if name not in PATHS:
        pytest.skip("no such page in this release")
    cookie = house.session(TokenScope.ADMIN)
    answer = house.client.post(
        house.address(PATHS[name]),
        data={FIELD: house.form_token(cookie)},
        headers={"Cookie": f"{house.client.cookie}={cookie}", "Origin": origin},
    )
    assert answer.status_code == 403


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    assert {name for _, name in ALL} == set(ROUTES)
    assert len(PATHS) == len(TABLE.routes), "two routes share a name"


def test_a_route_without_an_entry_is_closed_to_all_but_admins(
    tmp_path: Path, sqlite_template: Path
) -> None:
    with served(tmp_path / "data", sqlite_template, run_conductor=False) as client:
        client.app.get("/unlisted")(lambda: "here")  # type: ignore[attr-defined]
        assert client.get("/unlisted").status_code == 200
        for scope in (TokenScope.READ, TokenScope.WRITE, TokenScope.WORKER):
            headers = {"Authorization": f"Bearer {client.token(scope)}"}
            assert client.get("/unlisted", headers=headers).status_code == 403
            assert client.get("/api/v1/nothing", headers=headers).status_code == 404
        assert client.get("/unlisted", headers={"Authorization": ""}).status_code == 401


def test_the_attempt_in_the_path_is_the_tokens(house: House) -> None:
    own, other = house.attempts
    for path in ("heartbeat", "points", "finish"):
        answer = house.client.post(
            f"/api/v1/attempts/{other['attempt']}/{path}",
            json={"fence": 2},
            headers={"Authorization": f"Bearer {own['token']}"},
        )
        assert answer.status_code == 403
        assert answer.json()["code"] == "out_of_scope"


def test_what_an_endpoint_learns_of_who_asks(tmp_path: Path, sqlite_template: Path) -> None:
    seen: list[Access] = []

    def look(request: Request) -> None:
        seen.append(request.state.access)

    with served(tmp_path / "data", sqlite_template, run_conductor=False) as client:
        client.app.get("/seen")(look)  # type: ignore[attr-defined]
        client.get("/seen")
        listed = client.get("/api/v1/tokens").json()["items"]
    assert seen == [Access(TokenScope.ADMIN, listed[0]["id"], is_session=False)]


def test_the_reference_has_the_table() -> None:
    text = section(REFERENCE / "rest.md", "## Tokens and scopes")
    written = {
        (method, path): need
        for method, path, need in re.findall(r"\| `([A-Z]+) ([^`]+)` \| (\w+) \|", text)
    }
    actual = {(method, PATHS[name]): str(ROUTES[name]) for method, name in ALL if method != "HEAD"}
    assert written == actual, "\n".join(
        f"| `{method} {path}` | {need} |" for (method, path), need in actual.items()
    )
    for need in Need:
        row = re.search(rf"^\| {need} \|([^|]*)\|([^|]*)\|", text, re.MULTILINE)
        assert row is not None, need
        sessions = set(SESSIONS_FOR[need])
        assert scopes(row[1]) == set(TOKENS_FOR[need]), need
        assert scopes(row[2]) == sessions | ({TokenScope.ADMIN} if need is Need.ADMIN else set())


def scopes(cell: str) -> set[TokenScope]:
    return {scope for scope in TokenScope if f"`{scope}`" in cell}
