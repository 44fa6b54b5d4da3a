from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipes.budget import Budget
from recipes.fusing import Fusing
from recipes.pricing import price
from recipes.study import StudyConfig, StudyState
from recipes.timing import Timing
from service.client import Client
from service.commands import carry_out
from service.commands.options import RunOptions
from service.commands.price import price_lines
from service.commands.task_option import absolute_task, default_name
from service.settings import Settings
from service.views.models import StudyView
from tests.processes import SEVENSTEP, serving, sevenstep
from tests.recipes_tests.builders import description

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
    assert "/login?code=svsl_" in done.stderr
    pages = next(line for line in done.stderr.splitlines() if line.startswith("Pages: "))
    assert f"`sevenstep serve --data-dir {tmp_path}` brings them back" in pages
    assert "http" not in pages  # nobody listens any more


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
    assert process.stdout.readline().startswith("Sevenstep ")
    study = process.stdout.readline().partition("(")[2].partition(")")[0]
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 130
    assert f"Study {study} is kept" in errors
    assert f"`sevenstep serve --data-dir {tmp_path}`" in errors
    assert f"`sevenstep study cancel {study} --data-dir {tmp_path}`" in errors
    assert json.loads((tmp_path / "server.json").read_text())["pid"] is None


@pytest.fixture
def _own_signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that runs in this process leaves no handler of its own behind."""
    monkeypatch.setattr(carry_out, "_interrupted", threading.Event())
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_own_signals")
def test_ctrl_c_before_the_answer_tells_of_the_study_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create = Client.create

    def interrupted(client: Client, *given: Any, **fields: Any) -> StudyView:
        made = create(client, *given, **fields)
        signal.raise_signal(signal.SIGINT)
        return made

    monkeypatch.setattr(Client, "create", interrupted)
    config = StudyConfig(name="first", task="digits")
    with serving(tmp_path) as (_, file), Client(file.address, file.token) as client:
        options = RunOptions(task="digits", slots="1")
        code = carry_out.carry_out(config, Settings(data_dir=tmp_path), options)
        (study,) = client.studies()
    assert code == carry_out.EXIT_INTERRUPTED
    assert f"Interrupted. Study {study.id} goes on" in capsys.readouterr().err


SOFTMAX = """\
import torch
from torch import nn
from recipes import Task


class Net(Task):
    num_classes = 3

    def data(self, split):
        targets = torch.arange(120) % 3
        return nn.functional.one_hot(targets, 4) * 3.0 + torch.randn(120, 4), targets

    def model(self, params):
        return nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
"""


def test_a_failed_gate_is_code_three_and_its_sentence_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SOFTMAX)
    data = str(tmp_path / "my data")
    done = sevenstep("check", str(tmp_path / "net.py"), "--slots", "1", "--data-dir", data)
    assert done.returncode == 3, done
    assert done.stdout.count("Softmax is applied twice") == 1
    assert "Stopped after step 1: it needs you." in done.stdout
    serve = f"sevenstep serve --allow-task-files --data-dir '{data}'"
    assert f"run `{serve}`" in done.stdout
    assert f" 1 --data-dir '{data}'" in done.stdout.split("rerun ")[1].splitlines()[0]
    assert "--reason ..." in done.stdout
    assert "Findings: double_softmax" in done.stdout


def test_a_service_that_runs_no_task_files_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SOFTMAX)
    with serving(tmp_path / "data") as (process, file):
        done = sevenstep("check", str(tmp_path / "net.py"), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert f"{file.address} (process {process.pid}) does not run this task" in done.stderr
    assert "Stop it and run this command again" in done.stderr


def test_a_running_service_describes_the_task_itself(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("x = 1\n\nraise RuntimeError('broken on purpose')\n")
    data = tmp_path / "data"
    with (
        serving(data, "--allow-task-files", worker=True) as (_, file),
        Client(file.address, file.token) as client,
    ):
        done = sevenstep("check", str(tmp_path / "task.py"), "--data-dir", str(data))
        (study,) = client.studies()
    assert done.returncode == 1
    assert f"{tmp_path / 'task.py'}:3" in done.stdout
    assert "broken on purpose" in done.stdout
    assert "Cure:" in done.stdout
    assert study.state is StudyState.FAILED


def test_serve_says_which_studies_it_holds_back(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SOFTMAX)
    with (
        serving(tmp_path / "data", "--allow-task-files") as (_, file),
        Client(file.address, file.token) as client,
    ):
        config = StudyConfig(name="left", task=str(tmp_path / "net.py"))
        study = client.create(config).id
    with serving(tmp_path / "data") as (process, _):
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
    assert f"Held back, because this service does not run their tasks: left ({study})" in lines[2]
    assert f"--allow-task-files --data-dir {tmp_path / 'data'}" in lines[2]


def test_a_plan_prices_every_step_and_creates_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    words = ("run", "digits", "--plan", "--budget", "2m", "--slots", "2", "--data-dir", str(data))
    done = sevenstep(*words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [step["number"] for step in found["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    assert found["slots"] == 2
    assert found["timing"]["seconds_per_epoch"] > 0
    assert found["seconds"] == pytest.approx(sum(step["seconds"] for step in found["steps"]))
    assert found["trials"] == sum(step["trials"] for step in found["steps"])
    assert not data.exists()


@pytest.mark.parametrize(
    ("measured", "how"), [(3.0, "trained whole"), (0.1, "scaled up from 0.1 of an epoch")]
)
def test_a_plan_says_what_was_measured_and_what_is_assumed(measured: float, how: str) -> None:
    config = StudyConfig(name="n", task="digits", budget=Budget(wall_seconds=120), steps=(1, 4))
    timing = Timing(seconds_per_epoch=0.5, measured_epochs=measured, device="cpu", slots=2)
    prices = price(description(), config, timing.seconds_per_epoch, 2)
    lines = price_lines(config, timing, 2, prices)
    assert lines[0].startswith(f"0.5 s an epoch at the middle of the space on cpu, {how};")
    assert "2 trials at a time; budget: 2m. Assumed:" in lines[0]
    assert lines[2].startswith("1 initial loss")
    assert lines[4].startswith("4 coarse search")
    assert lines[-2].startswith("all ")
    assert lines[-1] == "Nothing was created."


def test_a_plan_says_where_trials_train_together() -> None:
    config = StudyConfig(name="n", task="digits", steps=(4,))
    timing = Timing(seconds_per_epoch=0.5, measured_epochs=1.0, device="cpu", slots=2)
    fusing = Fusing(chunk=16, rates={"1": 10.0, "16": 24.0})
    prices = price(description(fusing=fusing), config, timing.seconds_per_epoch, 2)
    first, *_ = price_lines(config, timing, 2, prices, fusing)
    assert "; 2 slots, up to 16 trials together on each; budget:" in first


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
