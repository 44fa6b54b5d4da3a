"""Names that try to climb out of their folder, in every place where a name is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from recipes.wire import ArtifactKind
from service.errors import NotFound
from service.use_cases.artifacts import ArtifactStore
from service.use_cases.task_policy import may_run
from service.web.scopes import ROUTES, Need
from tests.service_tests.served import HOST, Served, served
from tests.service_tests.test_scopes import ALL, PATHS

CANARY = "CANARY-outside-of-everything"
OURS = ("text/html", "application/json", "text/event-stream")
"""What our own pages and routes answer, where a browser's rules fold an attack away."""
TARGETS = ("secret.txt", "etc/passwd", "server.json", "sevenstep.db")
CLIMBS = (
    "../",
    "..%2f",
    "..%2F",
    "%2e%2e/",
    "%2e%2e%2f",
    "%2E%2E%2F",
    ".%2e/",
    "%252e%252e%252f",
    "..%252f",
    "..%255c",
    "..\\",
    "..%5c",
    "%2e%2e%5c",
    "%c0%ae%c0%ae/",
    "%c0%ae%c0%ae%c0%af",
    "%e0%80%ae%e0%80%ae/",
    "..%c0%af",
    "..%c1%9c",
    "....//",
    "....%2f%2f",
    "..;/",
    "..%00/",
    "..%0d%0a/",
    "%uff0e%uff0e/",
    "%ef%bc%8e%ef%bc%8e/",
    "..%e2%88%95",
    "/",
    "//",
    "%2f",
    "%5c",
    "file:///",
    "C:%5c",
    "~/",
    "./../",
)
CORPUS = tuple(
    dict.fromkeys(
        f"{climb * depth}{target}"
        for climb in CLIMBS
        for depth in (1, 4)
        for target in TARGETS[:2]
    )
)
BARE = ("..", "%2e%2e", ".", "%2e", "...", "%00", "a%00.svg", "a\\..\\b", "%2e%2e%00", "a" * 5000)


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) + len(BARE) > 120


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Served]:
    """A service whose folder lies among files that must not be read."""
    folder = tmp_path_factory.mktemp("outside")
    for place in (folder, folder / "data"):
        place.mkdir(exist_ok=True)
        (place / "secret.txt").write_text(CANARY)
        (place / "etc").mkdir(exist_ok=True)
        (place / "etc" / "passwd").write_text(CANARY)
    with served(
        folder / "data",
        sqlite_template,
        run_conductor=False,
        max_requests_per_second=0,
        max_failed_logins_per_minute=0,
    ) as client:
        client.app.state.context.closing.set()  # type: ignore[attr-defined]
        yield client


def places() -> list[tuple[str, str, str]]:
    """Each parameter of each path: the method, the path before it and the path after it."""
    found = [("GET", "/assets/", ""), ("GET", "/", "")]
    for method, name in ALL:
        if method in ("HEAD", "OPTIONS") or ROUTES[name] is Need.NOTHING:
            continue
        parts = PATHS[name].split("{")
        for index in range(1, len(parts)):
            before = "{".join(parts[:index])
            after = parts[index].partition("}")[2] + "".join(f"{{{p}" for p in parts[index + 1 :])
            filled = [text.replace("{", "").replace("}", "") for text in (before, after)]
            found.append((method, filled[0], filled[1]))
    return sorted(set(found))


@pytest.mark.parametrize(("method", "before", "after"), places())
def test_no_path_leads_out(outside: Served, method: str, before: str, after: str) -> None:
    # Every other one at each place, and the others at the next: 79 and more at each.
    turn = places().index((method, before, after)) % 2
    for attack in (*CORPUS[turn::2], *BARE):
        answer = outside.request(method, f"{HOST}{before}{attack}{after}", follow_redirects=False)
        assert CANARY not in answer.text, attack
        assert "root:" not in answer.text, attack
        assert answer.status_code < 500, (attack, answer.text)
        if 200 <= answer.status_code < 300:  # the attack was folded away: one of our own pages
            assert answer.headers["content-type"].startswith(OURS)
            assert "SQLite format" not in answer.text


@pytest.mark.parametrize("parameter", ["next", "code", "cursor", "sort", "state", "round", "q"])
def test_no_query_leads_out(outside: Served, parameter: str) -> None:
    for path in ("/login", "/studies", "/api/v1/studies", "/api/v1/tokens"):
        for attack in CORPUS[::4]:
            answer = outside.get(f"{path}?{parameter}={attack}", follow_redirects=False)
            assert CANARY not in answer.text
            assert answer.status_code < 500
            location = answer.headers.get("location", "/")
            assert location.startswith("/")
            assert not location.startswith("//")


def test_the_artifact_store_opens_its_own_names_alone(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    store = ArtifactStore(tmp_path / "artifacts")
    own = store.put(b"content").uid
    assert store.path(own).read_bytes() == b"content"
    for attack in (*CORPUS, *BARE, own[:-1], own.upper(), f"{own}/", f"./{own}", f"{own}\n"):
        for name in (attack, unquote(attack)):
            with pytest.raises(NotFound):
                store.path(name)


def test_uploads_are_of_two_kinds_and_named_by_the_service(outside: Served) -> None:
    for kind in ("../checkpoint", "checkpoint/..", "", *BARE):
        answer = outside.post(
            f"/api/v1/attempts/a/artifacts?fence=1&trial=0&epoch=1&iteration=1&kind={quote(kind)}",
            content=b"x",
            headers={"X-Content-SHA256": "0" * 64, "Content-Type": "application/octet-stream"},
        )
        assert answer.status_code in (404, 422)
    assert {kind.value for kind in ArtifactKind} == {"checkpoint", "snapshot"}


@pytest.mark.parametrize("attack", CORPUS[::5])
def test_a_task_reads_no_file_outside_the_allowed_folders(outside: Served, attack: str) -> None:
    settings = outside.app.state.context.settings  # type: ignore[attr-defined]
    strict = settings.model_copy(update={"allowed_data_folders": (Path("/data"),)})
    for path in (attack, f"/data/{attack}"):
        climbs = ".." in path.split("/") or not path.startswith("/data/")
        assert not (climbs and may_run("tabular", strict, {"path": path, "target": "y"}))
        assert not may_run(path, strict)
