from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import Request

from service.database.engine import Database
from service.pages.forms import form_token
from service.pages.login import own_path
from service.web.security import TokenScope, host_name
from tests.processes import free_port
from tests.service_tests.served import Served, served


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template, allowed_hosts=("studies.example",)) as client:
        yield client


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


def test_a_sign_in_link_sets_a_cookie_that_writes_nothing_by_the_api(client: Served) -> None:
    link = client.post("/api/v1/tokens/links?next=/workers").json()["path"]
    token = client.headers.pop("Authorization").removeprefix("Bearer ")
    assert token not in link
    answer = client.get(link, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/workers"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert token not in cookie
    assert link.split("=")[1].split("&")[0] not in cookie
    assert client.get("/workers").status_code == 200
    assert client.get("/api/v1/studies").status_code == 200
    made = client.post("/api/v1/studies", json={"name": "n", "task": "digits"})
    assert made.status_code == 403
    as_bearer = {"Authorization": f"Bearer {client.cookies[client.cookie]}"}
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


def test_transport_security_is_asked_for_over_https_alone(client: Served) -> None:
    assert "strict-transport-security" not in client.get("/healthz").headers
    answer = client.get("https://localhost/healthz")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_link_signs_in_once(client: Served) -> None:
    link = client.post("/api/v1/tokens/links").json()["path"]
    del client.headers["Authorization"]
    assert client.get(link, headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 200
    assert not client.cookies
    assert client.get(link, follow_redirects=False).status_code == 303
    again = client.get(link, follow_redirects=False)
    assert again.headers["location"] == "/studies"  # the same browser: it is signed in
    client.cookies.clear()
    refused = client.get(link)
    assert refused.status_code == 401
    assert "has been used already" in refused.text
    as_bearer = {"Authorization": f"Bearer {link.split('=')[1].split('&')[0]}"}
    assert client.get("/api/v1/studies", headers=as_bearer).status_code == 401


def test_of_two_who_open_a_link_at_once_one_gets_in(client: Served) -> None:
    link = client.post("/api/v1/tokens/links").json()["path"]
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(
                lambda _: client.get(link, follow_redirects=False).status_code, range(5)
            )  # as many as may fail at once
        )
    assert sorted(answers) == [303, *[401] * 4]


def test_a_browser_that_comes_from_another_site_goes_on_by_itself(client: Served) -> None:
    """Its strict cookie would not be sent along a redirect."""
    link = client.post("/api/v1/tokens/links?next=/workers").json()["path"]
    answer = client.get(link, headers={"Sec-Fetch-Site": "cross-site"}, follow_redirects=False)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/workers">' in answer.text
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_the_cookie_is_secure_over_https(client: Served) -> None:
    link = client.post("/api/v1/tokens/links").json()["path"]
    answer = client.get(f"https://localhost{link}", follow_redirects=False)
    assert "Secure" in answer.headers["set-cookie"]


def sign_in(client: Served) -> None:
    """By the admin's token, which is not sent any more."""
    token = client.headers.pop("Authorization").removeprefix("Bearer ")
    client.post("/login", content=f"token={token}", follow_redirects=False)


def test_a_browser_stays_signed_in_at_two_services_of_one_host(
    tmp_path: Path, sqlite_template: Path
) -> None:
    with (
        served(tmp_path / "a", sqlite_template, run_conductor=False) as one,
        served(tmp_path / "b", sqlite_template, run_conductor=False) as other,
    ):
        sign_in(one)
        sign_in(other)
        jar = {**dict(one.cookies.items()), **dict(other.cookies.items())}  # knows no ports
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        for client in (one, other):
            client.cookies.clear()
            assert client.get("/api/v1/studies", headers=sent).status_code == 200


def test_the_cookie_stays_below_the_path_that_a_proxy_put_before(client: Served) -> None:
    client.app.root_path = "/seven"  # type: ignore[attr-defined]
    link = client.post("/api/v1/tokens/links").json()["path"]
    answer = client.get(link, follow_redirects=False)
    assert "Path=/seven;" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "foreign", ['prefs={"dark": [true, 1]}', "lone", "a b=c d", 'half="', "bracket[0]=1", "=x"]
)
def test_another_programs_cookie_signs_no_browser_out(client: Served, foreign: str) -> None:
    sign_in(client)
    session = f"{client.cookie}={client.cookies[client.cookie]}"
    client.cookies.clear()
    tokens = []
    for cookies in (session, f"{foreign}; {session}", f"{session}; {foreign}"):
        answer = client.get("/api/v1/studies", headers={"Cookie": cookies})
        assert answer.status_code == 200
        headers = [(b"cookie", cookies.encode())]
        request = Request({"type": "http", "app": client.app, "headers": headers})
        tokens.append(form_token(request))
    assert tokens[0]
    assert len({*tokens}) == 1


def test_a_session_ends_with_its_token_and_with_the_sign_out(client: Served) -> None:
    made = client.post("/api/v1/tokens", json={"name": "mine", "scope": "read"}).json()
    admin = {"Authorization": client.headers.pop("Authorization")}
    origin = {"Origin": "http://127.0.0.1:8080"}
    for end in (
        lambda: client.post("/logout", headers=origin, follow_redirects=False),
        lambda: client.delete(f"/api/v1/tokens/{made['id']}", headers=admin),
    ):
        client.post("/login", content=f"token={made['token']}", follow_redirects=False)
        cookie = client.cookies[client.cookie]
        assert client.get("/api/v1/studies").status_code == 200
        assert end().status_code in (204, 303)
        client.cookies.set(client.cookie, cookie)
        assert client.get("/api/v1/studies").status_code == 401
        client.cookies.clear()


@pytest.fixture
def away(client: Served) -> Iterator[Served]:
    """The service once its database went away."""
    state = client.app.state  # type: ignore[attr-defined]
    here, gone = state.context, Database(f"postgresql://nobody@127.0.0.1:{free_port()}/gone")
    state.context = replace(here, database=gone)
    yield client
    state.context = here
    gone.dispose()


def test_while_the_database_is_away_everybody_is_told_so(away: Served) -> None:
    by_cookie = {"Authorization": "", "Cookie": f"{away.cookie}=svss_unknown"}
    for headers in ({}, by_cookie, {"Authorization": "Bearer svsa_unknown"}):
        answer = away.get("/api/v1/studies", headers=headers)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["code"] == "database_unavailable"
    assert away.get("/healthz", headers={"Authorization": ""}).status_code == 200


def test_a_sign_in_form_from_another_site_is_refused(client: Served) -> None:
    token = client.headers.pop("Authorization").removeprefix("Bearer ")
    answer = client.post(
        "/login", content=f"token={token}", headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert not client.cookies


@pytest.mark.parametrize(
    ("body", "status"),
    [("a=1&" * 100 + "token=x", 401), ("token=" + "x" * 9_000, 413), ("token=x", 401)],
)
def test_a_sign_in_form_is_short(client: Served, body: str, status: int) -> None:
    assert client.post("/login", content=body).status_code == status


def test_a_good_token_among_many_fields_signs_nobody_in(client: Served) -> None:
    token = client.headers.pop("Authorization").removeprefix("Bearer ")
    answer = client.post("/login", content=f"token={token}" + "&a=1" * 10)
    assert answer.status_code == 401
    assert not client.cookies


def test_a_workers_token_opens_no_session(client: Served) -> None:
    token = client.token(TokenScope.WORKER)
    assert client.post("/login", content=f"token={token}").status_code == 401


def test_every_api_route_is_declared_with_its_errors(client: Served) -> None:
    schema = client.get("/openapi.json").json()
    assert "Problem" in schema["components"]["schemas"]
    for path, operations in schema["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in operations.items():
            assert {"401", "403", "422"} <= set(operation["responses"]), (method, path)
            assert operation["security"], (method, path)
