from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.pages.login import own_path
from service.web.security import COOKIE, TokenScope, host_name, is_open, may
from tests.service_tests.served import Served, served


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template, allowed_hosts=("studies.example",)) as client:
        yield client


def test_every_route_but_the_open_ones_needs_a_token(client: Served) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) > 15
    for path, operations in paths.items():
        concrete = path.replace("{", "").replace("}", "")
        for method in operations:
            answer = client.request(method, concrete, headers={"Authorization": ""})
            assert (answer.status_code == 401) != is_open(concrete), (method, path)


def test_unauthorised_is_a_problem_document(client: Served) -> None:
    answer = client.get("/api/v1/studies", headers={"Authorization": ""})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize("header", ["Bearer svs_wrong", "Basic abc", "Bearer ", "svs_wrong"])
def test_a_wrong_token_is_refused(client: Served, header: str) -> None:
    answer = client.get("/api/v1/studies", headers={"Authorization": header})
    assert answer.status_code == 401


def test_tokens_are_stored_as_digests_only(client: Served, tmp_path: Path) -> None:
    secret = client.headers["Authorization"].removeprefix("Bearer ")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("sevenstep.db*"))
    assert secret.startswith("svs_")
    assert len(secret) >= 4 + 43
    assert secret.encode() not in stored


def test_a_workers_token_is_good_for_the_worker_routes_alone(client: Served) -> None:
    headers = {"Authorization": f"Bearer {client.token(TokenScope.WORKER)}"}
    body = {"name": "w", "slots": 1, "version": "0"}
    assert client.post("/api/v1/workers/register", json=body, headers=headers).status_code == 200
    for path in ("/api/v1/studies", "/api/v1/workers", "/studies"):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 403, path
        assert answer.json()["code"] == "out_of_scope"


def test_a_replaced_token_is_worthless(client: Served) -> None:
    old = client.token(TokenScope.WORKER)
    client.token(TokenScope.WORKER)
    answer = client.get("/api/v1/studies", headers={"Authorization": f"Bearer {old}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:8080"])
def test_a_foreign_host_is_refused_before_anything_else(client: Served, host: str) -> None:
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_host"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost", "[::1]:80", "STUDIES.example:443", "localhost.:1"]
)
def test_own_hosts_are_answered(client: Served, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_host_name_leaves_out_the_port() -> None:
    assert host_name("[::1]:80") == "[::1]"
    assert host_name("A.example:80") == "a.example"


def test_logging_in_sets_a_cookie_that_can_only_read(client: Served) -> None:
    token = client.headers.pop("Authorization").removeprefix("Bearer ")
    answer = client.get(f"/login?token={token}&next=/workers", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/workers"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert token not in cookie
    assert client.get("/workers").status_code == 200
    assert client.get("/api/v1/studies").status_code == 200
    made = client.post("/api/v1/studies", json={"name": "n", "task": "digits"})
    assert made.status_code == 403
    as_bearer = {"Authorization": f"Bearer {client.cookies[COOKIE]}"}
    client.cookies.clear()
    assert client.get("/api/v1/studies", headers=as_bearer).status_code == 401


def test_a_browser_without_a_session_is_sent_to_the_login_page(client: Served) -> None:
    headers = {"Authorization": "", "Accept": "text/html"}
    answer = client.get("/studies/abc?x=1", headers=headers, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/studies/abc%3Fx%3D1"
    page = client.get(answer.headers["location"], headers=headers)
    assert page.status_code == 200
    assert "Sign in" in page.text


def test_logging_in_with_a_wrong_token_says_so(client: Served) -> None:
    answer = client.post("/login", content="token=svs_no&next=/studies")
    assert answer.status_code == 401
    assert "not known here" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil", "/a\r\nb"]
)
def test_login_leads_nowhere_else(target: str) -> None:
    assert own_path(target) == "/studies"


def test_pages_carry_the_security_headers(client: Served) -> None:
    headers = client.get("/studies").headers
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


def test_a_session_never_writes_and_never_acts_as_a_worker() -> None:
    assert may(TokenScope.SESSION, "GET", "/studies/a")
    assert not may(TokenScope.SESSION, "POST", "/api/v1/studies")
    assert not may(TokenScope.SESSION, "GET", "/api/v1/attempts/a/artifacts/b")


def test_every_api_route_is_declared_with_its_errors(client: Served) -> None:
    schema = client.get("/openapi.json").json()
    assert "Problem" in schema["components"]["schemas"]
    for path, operations in schema["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in operations.items():
            assert {"401", "403", "422"} <= set(operation["responses"]), (method, path)
            assert operation["security"], (method, path)
