"""Entity tags, If-Match, methods that no route names, and the forms of an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.api.conditional import tag_of
from tests.recipes_tests.builders import description
from tests.service_tests.served import HOST, Served, served


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template) as client:
        yield client


def at(study: str, path: str = "") -> str:
    return f"/api/v1/studies/{study}{path}"


@pytest.mark.parametrize("part", ["/steps", "/findings", "/trials", "/report.md"])
def test_what_a_reader_has_is_not_sent_again(client: Served, part: str) -> None:
    study = client.create()["id"]
    client.post(at(study, "/cancel"))  # nothing of it goes on by itself then
    first = client.get(at(study, part))
    assert first.headers["etag"] == tag_of(first.content)
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = client.get(at(study, part), headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    other = client.get(at(study, part), headers={"If-None-Match": '"other"'})
    assert other.content == first.content


def test_a_studys_tag_changes_with_what_happens_in_it_and_not_with_time(client: Served) -> None:
    study = client.create()["id"]
    tag = client.get(at(study)).headers["etag"]
    assert tag.startswith('W/"')
    known = {"If-None-Match": tag}
    assert client.get(at(study), headers=known).status_code == 304
    client.post(at(study, "/pause"))
    changed = client.get(at(study), headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_a_figure_is_known_by_its_tag(client: Served) -> None:
    answer = client.get(at("z" * 16, "/figures/step-1-a.svg"))
    assert answer.status_code == 404
    assert "etag" not in answer.headers  # errors are no content to know again


@pytest.mark.parametrize(
    "path", ["/pause", "/resume", "/cancel", "/steps/1/accept", "/steps/1/rerun"]
)
def test_who_saw_another_version_changes_nothing(client: Served, path: str) -> None:
    study = client.create()
    seen = study["version"]
    client.post(at(study["id"], "/pause"))
    before = client.get(at(study["id"])).json()
    answer = client.post(at(study["id"], path), headers={"If-Match": f'"{seen}"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "changed_since")
    assert f'"{before["version"]}"' in answer.json()["detail"]
    after = client.get(at(study["id"])).json()
    assert {**after, "budget": before["budget"]} == before


def test_who_saw_this_version_may_change_it(client: Served) -> None:
    study = client.create()["id"]
    seen = client.get(at(study)).json()["version"]
    paused = client.post(at(study, "/pause"), headers={"If-Match": f'"{seen}"'})
    assert paused.json()["state"] == "paused"
    assert paused.json()["version"] > seen
    listed = f'"{seen}", "{paused.json()["version"]}"'
    assert client.post(at(study, "/resume"), headers={"If-Match": listed}).status_code == 200
    assert client.post(at(study, "/pause"), headers={"If-Match": "*"}).status_code == 200
    assert client.post(at(study, "/resume"), headers={"If-Match": ""}).status_code == 200


def test_a_weak_tag_is_no_version_and_the_refusal_says_what_is(client: Served) -> None:
    study = client.create()["id"]
    tag = client.get(at(study)).headers["etag"]
    answer = client.post(at(study, "/pause"), headers={"If-Match": tag})
    assert answer.status_code == 412
    assert "a weak tag never fits" in answer.json()["detail"]
    answer = client.post(at(study, "/pause"), headers={"If-Match": "5"})
    assert answer.status_code == 422
    assert "in quotes" in answer.json()["detail"]


def test_a_study_is_deleted_by_who_names_it(client: Served) -> None:
    study = client.create(name="to go")["id"]
    for query, word in (("", "confirm=<name>"), ("?confirm=another", "confirm=<name>")):
        answer = client.delete(at(study, query))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "confirm")
        assert word in answer.json()["detail"]
    running = client.delete(at(study, "?confirm=to go"))
    assert (running.status_code, running.json()["code"]) == (409, "invalid_state")
    assert "cancel it" in running.json()["detail"]
    version = client.post(at(study, "/cancel")).json()["version"]
    old = {"If-Match": f'"{version - 1}"'}
    assert client.delete(at(study, "?confirm=to go"), headers=old).status_code == 412
    assert client.get(at(study)).status_code == 200
    assert client.delete(at(study, "?confirm=to go")).status_code == 204
    assert client.get(at(study)).status_code == 404
    assert client.delete(at(study, "?confirm=to go")).status_code == 404
    assert client.get("/api/v1/studies").json()["items"] == []


def test_a_head_has_the_headers_of_its_get_and_no_body(client: Served) -> None:
    study = client.create()["id"]
    client.post(at(study, "/cancel"))
    for path in (at(study), at(study, "/report.md"), at(study, "/trials.csv"), "/healthz"):
        get, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "etag"):
            assert head.headers.get(name) == get.headers.get(name)
    for path in (at(study, "/events"), "/api/v1/events"):
        head = client.head(path)
        assert head.headers["content-type"].startswith("text/event-stream")
        assert head.content == b""
    assert client.head(at("z" * 16)).status_code == 404


def test_a_path_says_what_it_can_do(client: Served) -> None:
    study = client.create()["id"]
    for path, allowed in (
        ("/api/v1/studies", "GET, HEAD, OPTIONS, POST"),
        (at(study), "DELETE, GET, HEAD, OPTIONS"),
        (at(study, "/pause"), "OPTIONS, POST"),
        ("/api/v1/workers/register", "OPTIONS, POST"),
    ):
        asked = client.options(path)
        assert (asked.status_code, asked.headers["allow"]) == (204, allowed)
        refused = client.patch(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert refused.headers["content-type"] == "application/problem+json"
        assert allowed in refused.json()["detail"]
    assert client.options("/api/v1/nothing").status_code == 404


def test_an_address_ends_without_a_slash(client: Served) -> None:
    answer = client.get("/api/v1/studies/")
    assert answer.status_code == 404
    assert answer.json()["detail"].endswith("without a slash: /api/v1/studies")
    page = client.get("/studies/", headers={"Accept": "text/html"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (308, "/studies")
    assert client.get(f"{HOST}//evil.example/", follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
        ({"Content-Type": "application/merge-patch+json"}, 201),
    ],
)
def test_a_body_is_read_as_plain_json_alone(
    client: Served, headers: dict[str, str], status: int
) -> None:
    body = b'{"name": "n", "task": "digits"}'
    answer = client.post("/api/v1/studies", content=body, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize("depth", [65, 500, 100_000])
def test_a_body_is_not_nested_too_deeply(client: Served, depth: int) -> None:
    body = b'{"name": "n", "task": "digits", "set": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/studies", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")
    assert "nested too deeply" in answer.json()["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": True},
        {"seed": "1"},
        {"seed": 1.5},
        {"max_rounds": True},
        {"budget": {"trials": "8"}},
        {"autopilot": 1},
        {"steps": [True]},
        {"search": {"early_discard": "yes"}},
    ],
)
def test_a_number_is_a_number_and_true_is_true(client: Served, fields: dict[str, object]) -> None:
    answer = client.post("/api/v1/studies", json={"name": "n", "task": "digits", **fields})
    assert answer.status_code == 422


def test_a_whole_number_may_be_written_with_a_point(client: Served) -> None:
    """JSON has one kind of number: 1.0 is an integer (JSON Schema 2020-12, core 4.2.3)."""
    body = {"name": "n", "task": "digits", "seed": 1.0, "budget": {"trials": 8.0}}
    answer = client.post("/api/v1/studies", json=body)
    assert answer.status_code == 201
    found = client.get(f"/api/v1/studies/{answer.json()['id']}").json()
    assert found["seed"] == 1
    assert isinstance(found["seed"], int)


def test_workers_are_found_one_by_one_and_page_by_page(client: Served) -> None:
    body = {"name": "w", "slots": 1, "version": "0"}
    made = [client.post("/api/v1/workers/register", json=body).json()["worker"] for _ in range(3)]
    assert client.get(f"/api/v1/workers/{made[0]}").json()["id"] == made[0]
    assert client.get(f"/api/v1/workers/{'z' * 16}").status_code == 404
    found: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/api/v1/workers?limit=2{cursor}").json()
        found += [worker["id"] for worker in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == made[::-1]


def test_a_step_that_runs_advises_nothing_yet(client: Served) -> None:
    study = client.create(autopilot=False)["id"]
    worker = client.post(
        "/api/v1/workers/register", json={"name": "w", "slots": 1, "version": "0"}
    ).json()["worker"]
    claim = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0}).json()
    done = {
        "fence": claim["fence"],
        "state": "succeeded",
        "description": description().model_dump(mode="json"),
    }
    client.post(f"/api/v1/attempts/{claim['attempt']}/finish", json=done)
    while (steps := client.get(at(study, "/steps")).json()["items"]) == []:
        pass
    assert steps[0]["action"] is None  # it runs: there is nothing to advise yet
