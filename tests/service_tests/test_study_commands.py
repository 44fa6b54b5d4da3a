"""``study``: its verbs against a real service with a worker."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recipes.cli import build
from service.views.models import StudyView
from tests.processes import Installation, wait_for

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(240)]

TASK = """\
import torch
from torch import nn
from recipes import Task


class Net(Task):
    num_classes = 3

    def data(self, split):
        targets = torch.arange(120) % 3
        return nn.functional.one_hot(targets, 4) * 3.0 + torch.randn(120, 4), targets

    def model(self, params):
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3){softmax})
"""
"""A healthy task, or one that applies the softmax twice."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("study") / "data") as installation:
        yield installation


def command(service: Installation, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(
        build(), ["study", *words, "--data-dir", str(service.data_dir)], catch_exceptions=False
    )
    assert result.exit_code == code, result.output
    return str(result.output)


def created(service: Installation, task: str, *options: str) -> str:
    return str(json.loads(command(service, "create", task, "--json", *options))["id"])


def state(service: Installation, study: str) -> str:
    with service.client() as client:
        return client.study(study).state.value


def view(service: Installation, study: str) -> StudyView:
    with service.client() as client:
        return client.study(study)


def test_a_study_is_created_seen_and_exported(service: Installation, tmp_path: Path) -> None:
    study = created(
        service,
        "digits",
        *("--steps", "1-2", "--set", "hidden=32", "--seed", "5", "--name", "mine"),
        *("--incumbent", "lr=0.1", "--budget", "10m+64trials", "--max-rounds", "2"),
        "--no-autopilot",
    )
    seen = view(service, study)
    assert (seen.name, seen.seed, seen.set) == ("mine", 5, {"hidden": 32})
    assert seen.planned_steps == (1, 2)
    assert seen.incumbent == {"lr": 0.1}
    assert seen.max_rounds == 2
    assert not seen.autopilot
    assert seen.budget.allowed.wall_seconds == 600
    service.wait(study)

    listed = command(service, "list")
    assert f"{study}  ✓ completed" in listed
    assert json.loads(command(service, "list", "--json"))["items"][0]["id"] == study
    shown = command(service, "show", study)
    assert "✓ passed  Step 1, initial loss" in shown
    assert f"/studies/{study}" in shown

    report = json.loads(command(service, "report", study, "--format", "json"))
    assert report["id"] == study
    assert report == json.loads(command(service, "show", study, "--json"))
    markdown = command(service, "report", study)
    assert markdown.startswith("# ")
    assert report["steps"][0]["sentence"] in markdown

    trials = json.loads(command(service, "trials", study, "--json"))
    assert [each["number"] for each in trials] == list(range(len(trials)))
    lines = command(service, "trials", study, "--step", "2", "--limit", "3").splitlines()
    assert len(lines) == 4
    assert all("step 2  ✓ complete" in line for line in lines[:3])
    assert lines[3] == "Showing 3; --limit shows more."
    assert command(service, "trials", study, "--state", "failed") == "No such trials.\n"

    curves = command(service, "curves", study, str(trials[-1]["number"]))
    assert "loss on train" in curves
    found = json.loads(command(service, "curves", study, "0", "--json"))
    assert found["trial"] == 0
    assert isinstance(json.loads(command(service, "findings", study, "--json")), list)

    rows = list(csv.DictReader(io.StringIO(command(service, "export", study))))
    assert len(rows) == len(trials)
    target = tmp_path / "trials.csv"
    assert command(service, "export", study, "--output", str(target)) == f"Wrote {target}.\n"
    assert len(list(csv.DictReader(io.StringIO(target.read_text())))) == len(trials)
    refused = command(service, "export", study, "--output", str(tmp_path / "no" / "x.csv"), code=1)
    assert "cannot be written" in refused


def test_a_study_is_paused_resumed_and_cancelled(service: Installation) -> None:
    study = service.create("digits")
    resume = f"`sevenstep study resume {study} --data-dir {service.data_dir}`"
    assert resume in command(service, "pause", study)
    assert state(service, study) == "paused"
    command(service, "resume", study)
    assert state(service, study) in ("pending", "running")
    command(service, "cancel", study)
    assert state(service, study) == "cancelled"
    assert "cancelled for good" in command(service, "pause", study, code=1)


def test_a_failed_gate_is_rerun_after_a_change_or_skipped(
    service: Installation, tmp_path: Path
) -> None:
    path = tmp_path / "net.py"
    path.write_text(TASK.format(softmax=", nn.Softmax(1)"))
    study = service.create(str(path), steps=(1,))
    wait_for(lambda: state(service, study) == "needs_action", seconds=60)

    assert "initial loss" in command(service, "show", study)
    assert "double_softmax" in command(service, "findings", study)
    assert "yours to do" in command(service, "accept", study, code=1)
    path.write_text(TASK.format(softmax=""))
    command(service, "rerun", study, "1")
    wait_for(lambda: state(service, study) == "completed", seconds=60)

    path.write_text(TASK.format(softmax=", nn.Softmax(1)"))
    study = service.create(str(path), steps=(1,))
    wait_for(lambda: state(service, study) == "needs_action", seconds=60)
    command(service, "skip", study, "--reason", "as meant")
    wait_for(lambda: state(service, study) == "completed", seconds=60)
    assert "Skipped: as meant" in command(service, "show", study)


def test_what_is_not_there_is_said(service: Installation) -> None:
    assert "there is no study nowhere" in command(service, "show", "nowhere", code=1)
    for verb in ("report", "trials", "findings", "export", "pause"):
        assert "there is no study nowhere" in command(service, verb, "nowhere", code=1)
    study = service.create("digits", steps=(1,))
    service.wait(study)
    assert "there is no trial" in command(service, "curves", study, "999", code=1)
    assert "for good" in command(service, "rerun", study, "1", code=1)
