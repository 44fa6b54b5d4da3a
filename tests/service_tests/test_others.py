"""Services and studies that belong to somebody else: left up, and not handed a token."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service.client import Client, NoService, Unreachable
from service.commands.carry_out import Place, again
from service.commands.launch import Served, service
from service.commands.others import StayUp, of_others
from service.server import server_file
from service.server.server_file import ServerFile
from service.settings import Settings
from tests.processes import serving, sevenstep, wait_for

EARLY = datetime.now(UTC) - timedelta(days=1)


def test_a_study_of_another_command_goes_on_unless_it_waits_or_has_ended(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, file), Client(file.address, file.token) as client:
        own = client.create(name="mine", task="digits").id
        assert of_others(file, StayUp(since=EARLY, besides=own)) == []
        other = client.create(name="theirs", task="digits").id
        assert [each.id for each in of_others(file, StayUp(since=EARLY, besides=own))] == [other]
        since = datetime.now(UTC) + timedelta(hours=1)
        assert of_others(file, StayUp(since=since, besides=own)) == [], "of an earlier service"
        client.cancel(other)
        ended = wait_for(
            lambda: not of_others(file, StayUp(since=EARLY, besides=own)), what="the end"
        )
        assert ended
    assert of_others(file, StayUp(since=EARLY, besides=None)) == [], "nobody answers"


@pytest.mark.timeout(120)
def test_a_service_is_left_up_for_another_command_and_ends_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path, port=0)
    with service(settings, slots="1") as served, Client.from_server_file(tmp_path) as client:
        served.study = client.create(name="mine", task="digits").id
        client.pause(served.study)
        other = client.create(name="theirs", task="digits").id
        client.pause(other)
    process = served.process
    assert served.is_left_up
    assert process is not None
    assert f"theirs ({other})" in capsys.readouterr().err
    with Client.from_server_file(tmp_path) as client:
        client.cancel(other)
    assert process.wait(60) == 0
    file = server_file.read(tmp_path)
    assert file is not None
    assert file.pid is None


@pytest.mark.timeout(60)
def test_a_service_with_nothing_else_ends_with_its_command(tmp_path: Path) -> None:
    with service(Settings(data_dir=tmp_path, port=0), slots="1") as served:
        pass
    assert not served.is_left_up
    assert served.process is not None
    assert served.process.poll() is not None


def test_another_commands_service_is_not_this_ones_to_leave() -> None:
    file = ServerFile(address="http://127.0.0.1:9", token="t", pid=os.getpid(), version="0")
    served = Served(file)
    assert not served.is_own
    assert not served.leave_to_others()


def test_a_token_is_not_sent_to_whoever_has_the_port_now(tmp_path: Path) -> None:
    seen: list[str] = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(str(self.headers["Authorization"]))
            self.send_response(401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{stranger.server_port}"
        file = ServerFile(address=address, token="mine", pid=os.getpid(), version="0")
        server_file.write(tmp_path, file)
        with Client.from_server_file(tmp_path) as client:
            client._transport.patience_seconds = 0
            server_file.write(tmp_path, file.model_copy(update={"pid": None}))
            with pytest.raises(Unreachable, match="has ended; `sevenstep serve --data-dir"):
                client.study("abc")
            moved = file.model_copy(update={"address": "http://127.0.0.1:1"})
            server_file.write(tmp_path, moved)
            with pytest.raises(NoService, match=r"is at http://127\.0\.0\.1:1 now"):
                client.study("abc")
        stranger.shutdown()
    assert seen == []


def test_the_line_to_have_it_again_is_complete(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "my data")
    file = ServerFile(address="http://127.0.0.1:9", token="t", pid=1, version="0")
    said = again("sevenstep run digits", name="my run", place=Place(file, True, settings))
    assert said == f"sevenstep run digits --name 'my run' --data-dir '{tmp_path}/my data'"


def test_a_file_that_is_no_python_file_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("# Not a task\n")
    monkeypatch.chdir(tmp_path)
    done = sevenstep("check", "README.md", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "README.md is not a Python file" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--steps", "3-1"), "--steps: '3-1' does not fit; write the lower step first: 1-3"),
        (("--name", ""), "--name: '' does not fit; give a name that can be seen"),
    ],
)
def test_what_does_not_fit_is_said_in_our_words(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = sevenstep("run", "digits", *options, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert words in done.stderr


def test_the_database_is_its_owners_alone_in_a_folder_that_is_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with serving(tmp_path):
        assert stat.S_IMODE((tmp_path / "sevenstep.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
