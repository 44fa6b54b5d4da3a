"""Wrong values of options: field, value and cure, before anything is created."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from recipes.budget import Budget
from recipes.cli import build
from recipes.space import Float
from service.commands.options import CheckOptions, RunOptions, TaskOptions
from service.commands.task_option import study_config
from tests.recipes_tests.builders import description

NO_FRAME = re.compile(r"[│╭╮╰╯─\s]+")


@pytest.fixture(autouse=True)
def _no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSTEP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TERMINAL_WIDTH", "500")


def invoke(*words: str) -> Result:
    return CliRunner().invoke(build(), list(words))


def said(result: Result) -> str:
    return NO_FRAME.sub(" ", result.output)


@pytest.mark.parametrize(
    ("words", "field", "value", "cure"),
    [
        (("run", "digits", "--seed", "-1"), "--seed", "-1", "from 0 to 2147483647"),
        (("run", "digits", "--seed", "two"), "--seed", "two", "whole number"),
        (("run", "digits", "--slots", "0"), "--slots", "0", "1 or more, or auto"),
        (("run", "digits", "--slots", "all"), "--slots", "all", "1 or more, or auto"),
        (("run", "digits", "--max-rounds", "0"), "--max-rounds", "0", "from 1 to 100"),
        (("run", "digits", "--max-rounds", "many"), "--max-rounds", "many", "whole number"),
        (("run", "digits", "--budget", "soon"), "--budget", "soon", "15m"),
        (("run", "digits", "--budget", "0m"), "--budget", "0m", "more than 0"),
        (("run", "digits", "--steps", "one"), "--steps", "one", "write 1-3"),
        (("run", "digits", "--steps", "1..3"), "--steps", "1..3", "write 1-3"),
        (("run", "digits", "--arg", "path"), "--arg", "path", "key=value"),
        (("run", "digits", "--arg", "=1"), "--arg", "=1", "key=value"),
        (("check", "digits", "--arg", "path"), "--arg", "path", "key=value"),
        (("demo", "--slots", "none"), "--slots", "none", "1 or more, or auto"),
        (("serve", "--port", "99999"), "--port", "99999", "from 0 to 65535"),
        (("serve", "--slots", "-2"), "--slots", "-2", "1 or more, or auto"),
        (("study", "list", "--limit", "0"), "--limit", "0", "from 1 to 200"),
        (("study", "trials", "x", "--step", "8"), "--step", "8", "from 1 to 7"),
        (("study", "trials", "x", "--state", "odd"), "--state", "odd", "'waiting'"),
        (("study", "trials", "x", "--limit", "0"), "--limit", "0", "from 1 to 10000"),
        (("study", "report", "x", "--format", "pdf"), "--format", "pdf", "'md', 'json'"),
        (("study", "curves", "x", "first"), "TRIAL", "first", "whole number from 0"),
        (("study", "rerun", "x", "9"), "STEP", "9", "from 1 to 7"),
        (("study", "skip", "x", "2"), "--reason", "''", "say why in a few words"),
        (("study", "skip", "x", "2", "--reason", " "), "--reason", "''", "say why"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_value_that_does_not_fit(
    words: tuple[str, ...], field: str, value: str, cure: str, tmp_path: Path
) -> None:
    result = invoke(*words)
    assert result.exit_code in (1, 2), result.output
    for part in (field, value, cure):
        assert part in said(result)
    assert "Traceback" not in result.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "given", "wrong", "cure"),
    [
        ("LEASE_SECONDS", "19", "LEASE_SECONDS: '19'", "give at least 20"),
        ("HEARTBEAT_SECONDS", "40", "LEASE_SECONDS: 60.0", "give at least 80"),
        ("KEEP_ARTIFACTS_DAYS", "1e9", "KEEP_ARTIFACTS_DAYS: '1e9'", "equal to 36500"),
        ("KEEP_EVENTS_DAYS", "40000", "KEEP_EVENTS_DAYS: '40000'", "equal to 36500"),
    ],
)
def test_a_setting_that_does_not_fit(
    name: str, given: str, wrong: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SEVENSTEP_{name}", given)
    result = invoke("study", "list")
    assert result.exit_code == 1
    assert f"SEVENSTEP_{wrong} does not fit; " in said(result)
    assert cure in said(result)


def test_without_a_service_its_command_is_named_in_full(tmp_path: Path) -> None:
    folder = tmp_path / "some where"
    result = invoke("study", "list", "--data-dir", str(folder))
    assert result.exit_code == 1
    assert f"start one with `sevenstep serve --data-dir '{folder}'`" in result.output


def test_the_release_is_said() -> None:
    assert invoke("--version").output.startswith("sevenstep ")


def config(kind: type[TaskOptions] = RunOptions, **options: Any) -> Any:
    return study_config(kind(task="digits", **options), description())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a\nb"}, r"--name: 'a\nb' does not fit; leave out line breaks"),
        ({"name": ""}, "--name: '' does not fit; string should have at least 1 character"),
        ({"steps": "8"}, "--steps: '8' does not fit; there is no step 8"),
        ({"steps": "3,1"}, "--steps: '3,1' does not fit; give each step once and in order"),
        ({"set_": ["lr=-1"]}, "set.lr: -1 does not fit; give a finite number above 0"),
        ({"set_": ["lr=banana"]}, "set.lr: 'banana' does not fit; give a number"),
        ({"set_": ["hiden=64"]}, "set: 'hiden' does not fit; did you mean 'hidden'?"),
        ({"set_": ["lr=1..0.1"]}, "--set: 'lr=1..0.1' does not fit; low (1) must be below"),
        ({"set_": ["lr=1", "lr=2"]}, "--set: 'lr=2' does not fit; lr is set twice"),
        ({"incumbent": "lr"}, "--incumbent: 'lr' does not fit; write name=value,name=value"),
        ({"incumbent": "lr=0.1..1"}, "--incumbent: 'lr=0.1..1' does not fit; a setting has one"),
        ({"incumbent": "hiden=64"}, "'hiden' does not fit; did you mean 'hidden'?"),
        ({"incumbent": "lr=-1"}, "incumbent.lr: -1 does not fit; give a finite number above 0"),
    ],
    ids=str,
)
def test_a_study_that_does_not_fit_its_task(
    options: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        config(**options)
    assert ended.value.exit_code == 2
    assert message in capsys.readouterr().err


def test_every_option_reaches_the_study() -> None:
    found = config(
        name="mine",
        seed=7,
        set_=["hidden=64", "lr=1e-3..0.1"],
        arg=["path=/data", "size=3", "flag=true"],
        incumbent="lr=0.01,weight_decay=5e-4",
        budget="15m+64trials",
        steps="1-3,5",
        max_rounds=2,
        no_autopilot=True,
    )
    assert found.name == "mine"
    assert found.seed == 7
    assert found.set == {"hidden": 64}
    assert found.space.root == {"lr": Float(1e-3, 0.1, log=True)}
    assert found.task_args == {"path": "/data", "size": 3, "flag": True}
    assert found.incumbent == {"lr": 0.01, "weight_decay": 5e-4}
    assert found.budget == Budget(wall_seconds=900, trials=64)
    assert found.steps == (1, 2, 3, 5)
    assert found.max_rounds == 2
    assert not found.autopilot


def test_what_is_not_said_is_the_methods_default() -> None:
    found = config()
    assert found.steps == (1, 2, 3, 4, 5, 6, 7)
    assert found.budget == Budget()
    assert found.incumbent == {}
    assert found.max_rounds is None
    assert found.autopilot
    checked = study_config(CheckOptions(task="digits"), description(), steps=(1, 2))
    assert checked.steps == (1, 2)
