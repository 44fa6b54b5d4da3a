from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from service.commands.task_option import absolute_task, default_name
from tests.processes import SEVENSTEP, sevenstep

pytestmark = pytest.mark.timeout(180)


def test_a_run_prints_its_verdicts_and_its_report(tmp_path: Path) -> None:
    done = sevenstep(
        *("check", "digits", "--json", "--slots", "1", "--set", "hidden=32"),
        *("--data-dir", str(tmp_path)),
        timeout_seconds=150,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["state"] == "completed"
    assert report["set"] == {"hidden": 32}
    assert [step["verdict"] for step in report["steps"]] == ["passed", "passed"]
    for step in report["steps"]:
        assert step["sentence"] in done.stderr
    assert "/login?token=" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "learning_rate=1"), ("learning_rate", "lr")),
        (("--set", "lr=1..0.1"), ("below high",)),
        (("--set", "lr"), ("name=value",)),
        (("--set", "lr=0..1"), ("log range",)),
    ],
)
def test_a_setting_that_does_not_fit_creates_nothing(
    tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = sevenstep("run", "digits", *options, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_task_that_does_not_load_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("x = 1\n\nraise RuntimeError('broken on purpose')\n")
    done = sevenstep("run", str(tmp_path / "task.py"), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert f"{tmp_path / 'task.py'}:3" in done.stderr
    assert "broken on purpose" in done.stderr
    assert "Cure:" in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_interrupted_run_keeps_its_study_and_leaves_no_process(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*SEVENSTEP, "run", "digits", "--slots", "1", "--data-dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    assert "live at" in first
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "is kept" in errors
    assert json.loads((tmp_path / "server.json").read_text())["pid"] is None


def test_usage_errors_are_code_two() -> None:
    assert sevenstep("run").returncode == 2
    assert sevenstep("run", "digits", "--slots", "none").returncode == 2


def test_a_tasks_path_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_task("a/task.py:Net") == f"{tmp_path}/a/task.py:Net"
    assert absolute_task("task.py") == f"{tmp_path}/task.py"
    assert absolute_task("digits") == "digits"
    assert absolute_task("package.module:Net") == "package.module:Net"
    assert default_name("/a/task.py:Net") == "Net"
    assert default_name("/a/task.py") == "task"
    assert default_name("digits") == "digits"
