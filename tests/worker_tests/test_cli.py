from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker_tests.fake_service import FakeService
from worker.settings import AgentSettings, SettingsError

SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")


def sevenstep(*words: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SEVENSTEP_")}
    return subprocess.run(
        [*SEVENSTEP, *words],
        env={**inherited, "SEVENSTEP_DATA_DIR": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_server_file(home: Path, **changes: object) -> None:
    content = {"address": "http://127.0.0.1:9", "token": "local", "pid": os.getpid()}
    (home / "server.json").write_text(json.dumps({**content, **changes}))


def test_an_absent_service_is_one_line_and_exit_1(tmp_path: Path) -> None:
    ended = sevenstep(
        *("worker", "--server", "http://127.0.0.1:9", "--slots", "1", "--log-level", "error"),
        home=tmp_path,
        SEVENSTEP_TOKEN="secret",
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "no answer from http://127.0.0.1:9" in ended.stderr
    assert "secret" not in ended.stderr


def test_a_wrong_token_is_one_line_and_exit_1(tmp_path: Path) -> None:
    with FakeService() as service:
        ended = sevenstep("worker", "--server", service.url, "--token", "x", home=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "did not accept the token" in ended.stderr
    assert "`sevenstep token create --name NAME --scope worker`" in ended.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--slots", "0"), 2, "1 or more, or auto"),
        (("--slots", "many"), 2, "1 or more, or auto"),
        (("--log-level", "loud"), 2, "'debug', 'info', 'warning', 'error'"),
        (("--server", "http://127.0.0.1:9"), 1, "set SEVENSTEP_TOKEN"),
        (("--token", "t", "--home", "/proc/no"), 1, "pass --home"),
        (("--token", "t", "--server", "gopher://x"), 1, "not an HTTP address"),
        (("--token", "t", "--name", ""), 1, "worker_name"),
    ],
)
def test_bad_settings_are_told(
    tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    ended = sevenstep("worker", *words, home=tmp_path)
    assert ended.returncode == code
    assert says in " ".join(ended.stderr.replace("│", " ").split())
    assert "Traceback" not in ended.stderr


def test_the_local_services_file_is_used_for_its_own_address_only(tmp_path: Path) -> None:
    write_server_file(tmp_path)
    assert AgentSettings(data_dir=tmp_path).address() == ("http://127.0.0.1:9", "local")
    with pytest.raises(SettingsError, match="token: none given for http://other"):
        AgentSettings(data_dir=tmp_path, server="http://other").address()


@pytest.mark.parametrize("pid", [None, 2**22 + 1])
def test_the_file_of_a_service_that_ended_is_not_used(tmp_path: Path, pid: int | None) -> None:
    write_server_file(tmp_path, pid=pid)
    with pytest.raises(SettingsError, match=r"token: none given for .* --scope worker"):
        AgentSettings(data_dir=tmp_path).address()


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{")
    with pytest.raises(SettingsError, match=r"server\.json: cannot be read"):
        AgentSettings(data_dir=tmp_path).address()


def test_describe_prints_one_object_whatever_the_task_prints(tmp_path: Path) -> None:
    task = tmp_path / "task.py"
    task.write_text(
        "print('noise')\n"
        "from worker.tasks.digits import DigitsMLP\n"
        "class Noisy(DigitsMLP):\n"
        "    def model(self, params):\n"
        "        print('more noise')\n"
        "        return super().model(params)\n"
    )
    ended = sevenstep("describe", f"{task}:Noisy", "--json", home=tmp_path)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["description"]["num_classes"] == 10


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\nos._exit(3)", "exit code 3"),
        ("import no_such_module", "no_such_module"),
        ("import sys\nsys.exit(5)", "5"),
    ],
)
def test_describe_explains_a_task_that_cannot_be_used(
    tmp_path: Path, source: str, says: str
) -> None:
    task = tmp_path / "task.py"
    task.write_text(source)
    ended = sevenstep("describe", f"{task}:Any", "--json", home=tmp_path)
    assert ended.returncode == 1
    problem = json.loads(ended.stdout)["problem"]
    assert says in problem["message"]
    assert problem["cure"]


def test_torch_is_not_loaded_to_start_commands(tmp_path: Path) -> None:
    script = "import sys, typer, worker.cli, worker.agent.agent; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
