"""Tokens are made, expire and are revoked; an attempt's own lives as long as the attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from recipes.wire import AttemptState
from service.access import Access, TokenScope
from service.clock import utc_now
from service.database.engine import Database
from service.database.models import Attempt, Token
from service.errors import InvalidInput, NotFound
from service.settings import Settings
from service.use_cases import preshared, tokens
from tests.processes import serving, sevenstep
from tests.recipes_tests.builders import description
from tests.service_tests.served import Served, served
from tests.service_tests.support import Bench

GUESSED = "svs_" + "x" * 43


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template) as client:
        yield client


def identify(database: Database, secret: str) -> Access | None:
    with database.read() as session:
        return tokens.identify(session, secret)


def issue(database: Database, scope: TokenScope, lifetime: timedelta | None = None) -> str:
    with database.write() as session:
        return tokens.issue(session, name="t", scope=scope, lifetime=lifetime)[1]


def opened_by(database: Database, secret: str) -> str:
    with database.write() as session:
        opened = tokens.open_session(session, secret)
    assert opened is not None
    return opened


def age(database: Database, by: timedelta) -> None:
    """Let everything that is stored have happened earlier."""
    with database.write() as session:
        for token in session.query(Token):
            token.expires_at = token.expires_at and token.expires_at - by
            token.revoked_at = token.revoked_at and token.revoked_at - by
        for attempt in session.query(Attempt):
            attempt.ended_at = attempt.ended_at and attempt.ended_at - by


@pytest.mark.parametrize("scope", tokens.LIFELONG_SCOPES)
def test_a_token_is_known_by_its_scope_until_it_expires(bench: Bench, scope: TokenScope) -> None:
    secret = issue(bench.database, scope, timedelta(hours=1))
    access = identify(bench.database, secret)
    assert access is not None
    assert (access.scope, access.is_session) == (scope, False)
    age(bench.database, timedelta(hours=1))
    assert identify(bench.database, secret) is None


@pytest.mark.parametrize(
    "secret", [GUESSED, "", "svs_", "svsa_" + "x" * 43, "x" * 100_000, "\ud800", "svs_\x00"]
)
def test_what_is_no_token_is_nobody(bench: Bench, secret: str) -> None:
    assert identify(bench.database, secret) is None


def test_a_session_has_its_tokens_scope_and_ends_with_it(bench: Bench) -> None:
    secret = issue(bench.database, TokenScope.READ, timedelta(days=2))
    session = opened_by(bench.database, secret)
    access = identify(bench.database, session)
    assert access is not None
    assert (access.scope, access.is_session) == (TokenScope.READ, True)
    age(bench.database, timedelta(days=2))
    assert identify(bench.database, session) is None


def test_a_session_lasts_thirty_days(bench: Bench) -> None:
    session = opened_by(bench.database, issue(bench.database, TokenScope.ADMIN))
    age(bench.database, timedelta(days=29, hours=23))
    assert identify(bench.database, session) is not None
    age(bench.database, timedelta(hours=1))
    assert identify(bench.database, session) is None


@pytest.mark.parametrize("scope", tokens.LIFELONG_SCOPES)
def test_revoking_a_token_ends_its_sessions(bench: Bench, scope: TokenScope) -> None:
    secret = issue(bench.database, scope)
    secrets = [secret]
    if scope in tokens.BROWSER_SCOPES:
        secrets.append(opened_by(bench.database, secret))
    access = identify(bench.database, secret)
    assert access is not None
    for _ in range(2):
        with bench.database.write() as session:
            tokens.revoke(session, access.owner)
    assert [identify(bench.database, each) for each in secrets] == [None] * len(secrets)


def test_a_session_opens_no_session_and_a_link_no_link(bench: Bench) -> None:
    secret = issue(bench.database, TokenScope.ADMIN)
    session_secret = opened_by(bench.database, secret)
    access = identify(bench.database, session_secret)
    assert access is not None
    with bench.database.write() as session:
        assert tokens.open_session(session, session_secret) is None
        with pytest.raises(InvalidInput):
            tokens.open_link(session, access.owner)
        with pytest.raises(NotFound):
            tokens.open_link(session, "nobody")


def test_a_link_dies_with_its_token_and_after_a_day(bench: Bench) -> None:
    secret = issue(bench.database, TokenScope.WRITE)
    access = identify(bench.database, secret)
    assert access is not None
    with bench.database.write() as session:
        codes = [tokens.open_link(session, access.owner) for _ in range(3)]
    assert identify(bench.database, codes[0]) is None
    opened = identify(bench.database, opened_by(bench.database, codes[0]))
    assert opened is not None
    assert opened.scope is TokenScope.WRITE
    age(bench.database, timedelta(days=1))
    with bench.database.write() as session:
        assert tokens.open_session(session, codes[1]) is None
        tokens.revoke(session, access.owner)
        assert tokens.open_session(session, codes[2]) is None


def test_ended_sessions_and_links_are_forgotten_after_a_while(bench: Bench) -> None:
    secret = issue(bench.database, TokenScope.ADMIN)
    for _ in range(3):
        opened_by(bench.database, secret)
    age(bench.database, timedelta(days=30) + tokens.KEPT_AFTER_END + timedelta(hours=1))
    opened_by(bench.database, secret)
    assert len(bench.dump()["token"]) == 2


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "a\nb", "\x00"])
def test_a_name_that_is_none_is_refused(bench: Bench, name: str) -> None:
    with bench.database.write() as session, pytest.raises(InvalidInput, match="name"):
        tokens.issue(session, name=name, scope=TokenScope.READ)


def test_no_token_is_made_for_one_attempt_by_hand(bench: Bench) -> None:
    with bench.database.write() as session, pytest.raises(InvalidInput, match="scope"):
        tokens.issue(session, name="a", scope=TokenScope.ATTEMPT)


def test_a_token_made_elsewhere_becomes_known_once(bench: Bench) -> None:
    secret = "svs_" + "0123456789abcdef" * 4
    for _ in range(2):
        with bench.database.write() as session:
            tokens.enrol(session, secret, name="workers", scope=TokenScope.WORKER)
    access = identify(bench.database, secret)
    assert access is not None
    assert access.scope is TokenScope.WORKER
    assert len(bench.dump()["token"]) == 1
    with bench.database.write() as session, pytest.raises(InvalidInput, match="admin_token"):
        tokens.enrol(session, secret, name="admin", scope=TokenScope.ADMIN)
    with bench.database.write() as session:
        tokens.revoke(session, access.owner)
    with bench.database.write() as session, pytest.raises(InvalidInput, match="revoked"):
        tokens.enrol(session, secret, name="workers", scope=TokenScope.WORKER)


def test_two_services_that_start_at_once_enrol_one_token(bench: Bench) -> None:
    secret = "svs_" + "0123456789abcdef" * 4
    settings = Settings(data_dir=bench.settings.data_dir, admin_token=SecretStr(secret))

    def start() -> str | None:
        with bench.database.write() as session:
            return preshared.enrol(session, settings)

    with ThreadPoolExecutor(1) as pool:
        with bench.database.write() as session:
            assert preshared.enrol(session, settings) == secret
            other = pool.submit(start)
            assert not wait([other], timeout=0.3).done  # it waits for this one's commit
        assert other.result(20) == secret
    assert len(bench.dump()["token"]) == 1
    assert identify(bench.database, secret) is not None


@pytest.mark.parametrize("secret", ["secret", "svs_short", "svs_" + "a" * 31, "svs_" + "ä" * 40])
def test_a_weak_token_is_not_enrolled_nor_repeated(bench: Bench, secret: str) -> None:
    with bench.database.write() as session, pytest.raises(InvalidInput) as caught:
        tokens.enrol(session, secret, name="workers", scope=TokenScope.WORKER)
    assert secret not in str(caught.value)


def test_an_attempts_token_is_good_for_it_until_ten_minutes_after_its_end(bench: Bench) -> None:
    worker = bench.worker()
    bench.create()
    claim = bench.must_claim(worker)
    access = Access(TokenScope.ATTEMPT, claim.attempt)
    assert identify(bench.database, claim.token) == access
    assert claim.token not in repr(claim)
    bench.finish(claim, description=description())
    age(bench.database, timedelta(minutes=9, seconds=50))
    assert identify(bench.database, claim.token) == access
    age(bench.database, timedelta(seconds=10))
    assert identify(bench.database, claim.token) is None


def test_an_attempt_handed_out_again_has_a_new_token(bench: Bench) -> None:
    worker = bench.worker()
    bench.create()
    first, second = bench.must_claim(worker), bench.must_claim(worker)
    assert first.attempt == second.attempt
    assert identify(bench.database, first.token) is None
    assert identify(bench.database, second.token) == Access(TokenScope.ATTEMPT, first.attempt)


def test_an_attempt_lost_by_one_worker_is_anothers_under_another_token(bench: Bench) -> None:
    bench.create()
    first = bench.must_claim(bench.worker("a"))
    with bench.database.write() as session:
        session.execute(update(Attempt).values(heard_at=utc_now()))
    bench.points(first)
    bench.finish(first, AttemptState.PREEMPTED)
    second = bench.must_claim(bench.worker("b"))
    assert second.attempt != first.attempt
    assert identify(bench.database, second.token) == Access(TokenScope.ATTEMPT, second.attempt)


def test_no_secret_is_stored(bench: Bench) -> None:
    bench.create()
    claim = bench.must_claim(bench.worker())
    secret = issue(bench.database, TokenScope.ADMIN)
    session_secret = opened_by(bench.database, secret)
    stored = repr(bench.dump())
    for each in (claim.token, secret, session_secret):
        assert each not in stored


def test_tokens_over_rest(client: Served) -> None:
    asked = {"name": "ci", "scope": "write", "lifetime_seconds": 3600}
    answer = client.post("/api/v1/tokens", json=asked)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/tokens/{made['id']}"
    assert made["token"].startswith("svs_")
    listed = client.get("/api/v1/tokens")
    assert made["token"] not in listed.text
    items = listed.json()["items"]
    assert [(item["name"], item["scope"], item["kind"]) for item in items] == [
        ("ci", "write", "token"),
        ("test admin", "admin", "token"),
    ]
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/studies", headers=headers).status_code == 200
    assert client.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    assert client.get("/api/v1/studies", headers=headers).status_code == 401
    assert len(client.get("/api/v1/tokens").json()["items"]) == 1
    assert len(client.get("/api/v1/tokens?ended=true").json()["items"]) == 2
    assert client.delete("/api/v1/tokens/nobody").status_code == 404


def test_the_list_of_tokens_pages(client: Served) -> None:
    for number in range(5):
        client.post("/api/v1/tokens", json={"name": f"t{number}", "scope": "read"})
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/tokens?limit=2{cursor and f'&cursor={cursor}'}").json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["t4", "t3", "t2", "t1", "t0", "test admin"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a", "scope": "attempt"},
        {"name": "a", "scope": "link"},
        {"name": "", "scope": "read"},
        {"name": "a\nb", "scope": "read"},
        {"name": "a", "scope": "read", "lifetime_seconds": 0},
        {"name": "a", "scope": "read", "lifetime_seconds": 10**12},
        {"name": "a", "scope": "read", "token": "svs_mine"},
    ],
)
def test_a_token_that_does_not_fit_is_refused(client: Served, body: dict[str, object]) -> None:
    assert client.post("/api/v1/tokens", json=body).status_code == 422
    assert len(client.get("/api/v1/tokens").json()["items"]) == 1


def test_the_command_prints_the_secret_alone_and_it_works_beside_a_service(
    tmp_path: Path,
) -> None:
    """Made and revoked in the database by another process than the one that serves."""
    before = sevenstep(
        *("token", "create", "--name", "early", "--scope", "read"),
        *("--data-dir", str(tmp_path)),
    )
    assert before.returncode == 0, before.stderr
    with serving(tmp_path) as (_, file), httpx2.Client(base_url=file.address) as http:

        def status(secret: str) -> int:
            headers = {"Authorization": f"Bearer {secret}"}
            return http.get("/api/v1/studies", headers=headers).status_code

        secret = before.stdout.strip()
        assert before.stdout == f"{secret}\n"
        assert before.stderr.strip().endswith("It is printed this once.")  # nothing need follow
        assert status(secret) == 200
        listed = sevenstep("token", "list", "--data-dir", str(tmp_path)).stdout
        assert secret not in listed
        uid = next(line.split()[0] for line in listed.splitlines() if line.endswith("early"))
        revoked = sevenstep("token", "revoke", uid, "--data-dir", str(tmp_path))
        assert revoked.returncode == 0, revoked.stderr
        since = time.monotonic()
        while status(secret) == 200:
            assert time.monotonic() - since < 1.0
        link = sevenstep("token", "link", "--data-dir", str(tmp_path)).stdout.strip()
        assert link.startswith(f"{file.address}/login?code=svsl_")
        assert http.get(link).status_code == 303
        assert http.get("/workers").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "--name", "a", "--scope", "god"), "read, write, admin or worker"),
        (("create", "--name", "a", "--scope", "read", "--expires", "soon"), "30d"),
        (("create", "--name", "a", "--scope", "read", "--expires", "0d"), "30d"),
        (("create", "--name", "", "--scope", "read"), "1 to 100 characters"),
        (("revoke", "nobody"), "there is no token nobody"),
        (("link",), "no service runs on"),
    ],
)
def test_a_token_command_that_does_not_fit(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = sevenstep("token", *arguments, "--data-dir", str(tmp_path))
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/studies/{study}/events", "claim"])
def test_a_revoked_token_ends_what_it_opened(tmp_path: Path, path: str) -> None:
    """Streams and long polls end within a second, not at their next look or news."""
    with serving(tmp_path) as (_, file), httpx2.Client(base_url=file.address) as admin:
        admin.headers["Authorization"] = f"Bearer {file.token}"
        study = admin.post("/api/v1/studies", json={"name": "n", "task": "digits"}).json()["id"]
        admin.post(f"/api/v1/studies/{study}/cancel")
        scope = "worker" if path == "claim" else "read"
        made = admin.post("/api/v1/tokens", json={"name": "t", "scope": scope}).json()
        own = {"Authorization": f"Bearer {made['token']}"}

        def last() -> tuple[int, float]:
            with httpx2.Client(base_url=file.address, headers=own, timeout=20) as http:
                if path != "claim":
                    with http.stream("GET", path.format(study=study)) as answer:
                        for _ in answer.iter_lines():
                            pass
                        return answer.status_code, time.monotonic()
                body = {"name": "w", "slots": 1, "version": "0"}
                worker = http.post("/api/v1/workers/register", json=body).json()["worker"]
                polled = http.post(
                    f"/api/v1/workers/{worker}/claim", json={"slot": 0, "wait_seconds": 15}
                )
                return polled.status_code, time.monotonic()

        with ThreadPoolExecutor(1) as pool:
            opened = pool.submit(last)
            time.sleep(1.0)
            assert not opened.done()
            revoked_at = time.monotonic()
            assert admin.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
            status, ended_at = opened.result(20)
        assert status == (401 if path == "claim" else 200)
        assert ended_at - revoked_at < 1.0
