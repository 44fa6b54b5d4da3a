"""The search over REST: verbs, reports, trials, and settings that cannot be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recipes_tests.builders import description
from tests.service_tests.served import STUDY, Served, served


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template) as client:
        yield client


def at(study: str, path: str = "") -> str:
    return f"/api/v1/studies/{study}{path}"


def describe(client: Served) -> None:
    body = {"name": "w", "slots": 1, "version": "0"}
    worker = client.post("/api/v1/workers/register", json=body).json()["worker"]
    claim = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0}).json()
    done = {
        "fence": claim["fence"],
        "state": "succeeded",
        "description": description().model_dump(mode="json"),
    }
    assert client.post(f"/api/v1/attempts/{claim['attempt']}/finish", json=done).status_code == 204


def test_pausing_resuming_and_cancelling(client: Served) -> None:
    study = client.create()["id"]
    for verb, state in (
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "pending"),
        ("resume", "pending"),
        ("cancel", "cancelled"),
        ("cancel", "cancelled"),
    ):
        answer = client.post(at(study, f"/{verb}"))
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    for verb in ("pause", "resume", "steps/1/accept", "steps/1/rerun"):
        answer = client.post(at(study, f"/{verb}"))
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
        assert "create another one" in answer.json()["detail"]


def test_decisions_that_do_not_fit_are_refused_with_a_cure(client: Served) -> None:
    study = client.create()["id"]
    accept = client.post(at(study, "/steps/3/accept"))
    assert accept.status_code == 409
    assert "wait until it asks" in accept.json()["detail"]
    rerun = client.post(at(study, "/steps/3/rerun"))
    assert rerun.status_code == 409
    assert "step 3 has not run" in rerun.json()["detail"]
    assert client.post(at(study, "/steps/9/accept")).status_code == 422
    assert client.post(at(study, "/steps/1/accept?round=0")).status_code == 422


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 1001}])
def test_a_step_is_not_skipped_without_a_reason(client: Served, body: dict[str, str]) -> None:
    study = client.create()["id"]
    answer = client.post(at(study, "/steps/1/skip"), json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "reason"


def test_unknown_studies_take_no_verb(client: Served) -> None:
    for path in ("pause", "resume", "cancel", "steps/1/accept", "steps/1/rerun"):
        assert client.post(at("z" * 16, f"/{path}")).status_code == 404
    skip = client.post(at("z" * 16, "/steps/1/skip"), json={"reason": "why"})
    assert skip.status_code == 404
    for path in ("report.md", "trials.csv"):
        assert client.get(at("z" * 16, f"/{path}")).status_code == 404


def test_what_is_asked_for_is_answered(client: Served) -> None:
    study = client.create(
        budget={"wall_seconds": 900, "trials": 64},
        incumbent={"lr": 0.1},
        max_rounds=2,
        autopilot=False,
    )
    assert study["budget"]["allowed"] == {
        "wall_seconds": 900.0,
        "epochs": None,
        "trials": 64,
        "device_hours": None,
    }
    assert study["budget"]["used"]["trials"] == 0
    assert (study["best"], study["result"], study["current"]) == (None, None, None)
    assert (study["incumbent"], study["max_rounds"], study["autopilot"]) == ({"lr": 0.1}, 2, False)
    assert study["verbs"] == ["pause", "cancel"]
    (line,) = client.get("/api/v1/studies").json()["items"]
    assert line["budget"]["allowed"] == study["budget"]["allowed"]


def test_reports_and_tables(client: Served) -> None:
    study = client.create(name="=1+1")["id"]
    report = client.get(at(study, "/report.json")).json()
    assert {"best", "incumbent", "test", "rounds", "budget", "not_tried", "repeat"} <= set(report)
    assert report["repeat"]["command"].startswith("sevenstep run digits")
    text = client.get(at(study, "/report.md"))
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert text.text.startswith("# =1+1")
    table = client.get(at(study, "/trials.csv"))
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"].startswith("attachment")
    assert table.text.startswith("number,step,round,pass")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"set": {"lr": -1}}, "set.lr", "above 0"),
        ({"set": {"lr": "banana"}}, "set.lr", "'banana'"),
        ({"set": {"optimizer": "adma"}}, "set.optimizer", "adamw"),
        ({"set": {"momentum": 1}}, "set.momentum", "below 1"),
        ({"incumbent": {"lr": 0}}, "incumbent.lr", "above 0"),
        ({"incumbent": {"batch_size": 0.5}}, "incumbent.batch_size", "whole number"),
        (
            {"space": {"lr": {"kind": "float", "low": -1, "high": 1}}},
            "space.lr",
            "above 0",
        ),
        (
            {"space": {"schedule": {"kind": "categorical", "choices": ["cosine", "zigzag"]}}},
            "space.schedule",
            "inverse_sqrt",
        ),
        ({"budget": {"trials": 0}}, "budget.trials", "greater than or equal to 1"),
        ({"budget": {"wall_seconds": "soon"}}, "budget.wall_seconds", "give a number"),
        ({"budget": {"hours": 1}}, "budget.hours", "not permitted"),
        ({"max_rounds": 101}, "max_rounds", "less than or equal to 100"),
        ({"autopilot": "perhaps"}, "autopilot", "true or false"),
        ({"search": {"fine_proposals": "magic"}}, "search.fine_proposals", "'tpe'"),
        ({"steps": [8]}, "steps", "no step 8"),
        ({"set": [1]}, "set", "JSON object"),
        ({"space": {"lr": {"low": 1}}}, "space.lr", "of which kind"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    client: Served, fields: dict[str, Any], field: str, words: str
) -> None:
    answer = client.post("/api/v1/studies", json={**STUDY, **fields})
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["errors"][0]["field"].startswith(field)
    assert words in json.dumps(problem, ensure_ascii=False)
    for programmers in ("Input should", "Field required", "valid dictionary", "pydantic"):
        assert programmers not in answer.text
    assert client.get("/api/v1/studies").json()["items"] == []


def test_an_incumbent_the_task_cannot_take_fails_the_study_by_name(client: Served) -> None:
    study = client.create(incumbent={"hidden": "many"})["id"]
    describe(client)
    deadline = time.monotonic() + 20
    while (found := client.get(at(study)).json())["state"] in ("pending", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert found["state"] == "failed"
    assert "incumbent.hidden: 'many' does not fit; give a number" in found["reason"]


def test_artifacts_are_checkpoints_or_snapshots(client: Served) -> None:
    client.create()
    body = {"name": "w", "slots": 1, "version": "0"}
    worker = client.post("/api/v1/workers/register", json=body).json()["worker"]
    claim = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0}).json()
    answer = client.post(
        f"/api/v1/attempts/{claim['attempt']}/artifacts",
        params={"fence": 1, "trial": 0, "epoch": 1, "iteration": 1, "kind": "photograph"},
        content=b"bytes",
        headers={"X-Content-SHA256": "0" * 64},
    )
    assert answer.status_code == 422
    assert "checkpoint" in answer.json()["detail"]


def test_sorting_by_what_is_not_there_is_refused(client: Served) -> None:
    study = client.create()["id"]
    assert client.get(at(study, "/trials?sort=-value")).json() == {
        "items": [],
        "next_cursor": None,
    }
    assert client.get(at(study, "/trials?sort=" + "x" * 201)).status_code == 422
