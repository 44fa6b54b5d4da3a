from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from recipes.study import StudyConfig
from service.client import Client, Event, Unreachable
from tests.processes import SEVENSTEP, serving, sevenstep, wait_for

CONFIG = StudyConfig(name="first", task="digits")


def test_the_token_outlives_a_restart_and_is_the_owners_alone(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, first):
        assert stat.S_IMODE(os.stat(tmp_path / "server.json").st_mode) == 0o600
        assert first.is_alive
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not first.is_alive
    with serving(tmp_path) as (process, second):
        assert second.token == first.token
        process.kill()
        process.wait()
    with serving(tmp_path) as (_, third):
        assert third.token == first.token


def test_a_stream_brings_events_and_resumes_without_gap_or_double(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, file), Client(file.address, file.token) as client:
        study = client.create(CONFIG).id
        seen: list[Event] = []
        cancelled = threading.Event()

        def cancel() -> None:
            with Client(file.address, file.token) as other:
                other.cancel(study)
            cancelled.set()

        for event in client.events(study):
            seen.append(event)
            if event.kind == "study" and not cancelled.is_set():
                cancel()
            if event.kind == "study" and event.data["payload"]["state"] == "cancelled":
                break
        sequences = [event.id for event in seen if event.kind != "at"]
        assert sequences == list(range(1, len(sequences) + 1))
        headers = {"Authorization": f"Bearer {file.token}", "Last-Event-ID": "1"}
        url = f"{file.address}/api/v1/studies/{study}/events"
        with httpx2.stream("GET", url, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            ids = []
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    ids.append(int(line[4:]))
                if ids and ids[-1] == sequences[-1]:
                    break
        assert ids == list(range(1, sequences[-1] + 1))


def test_it_ends_promptly_with_a_stream_and_a_long_poll_open(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, file), Client(file.address, file.token) as client:
        study = client.create(CONFIG).id
        opened = threading.Event()

        def follow() -> None:
            with (
                Client(file.address, file.token, patience_seconds=0) as other,
                contextlib.suppress(Unreachable),
            ):
                for _ in other.events(study):
                    opened.set()

        reader = threading.Thread(target=follow)
        reader.start()
        assert opened.wait(5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 3
        reader.join(5)
        assert not reader.is_alive()


def test_the_stream_of_a_study_that_is_deleted_ends_in_order(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, file), Client(file.address, file.token) as client:
        study = client.create(CONFIG).id
        client.cancel(study)
        url = f"{file.address}/api/v1/studies/{study}/events"
        headers = {"Authorization": f"Bearer {file.token}"}
        opened = threading.Event()
        lines: list[str] = []

        def read() -> None:
            with httpx2.stream("GET", url, headers=headers, timeout=20) as answer:
                for line in answer.iter_lines():
                    lines.append(line)
                    opened.set()

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            assert opened.wait(10)
            client.delete(study, confirm=CONFIG.name)
            reading.result(20)  # it raises for an answer that was cut
    assert "event: at" in lines


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = sevenstep("serve", "--no-worker", "--port", port, "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in one_line(done.stderr)


def test_two_services_never_share_a_file(tmp_path: Path) -> None:
    with serving(tmp_path):
        done = sevenstep("serve", "--no-worker", "--port", "0", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "another service" in one_line(done.stderr)


def test_two_databases_never_share_a_data_directory(tmp_path: Path) -> None:
    other = {"SEVENSTEP_DATABASE_URL": f"sqlite:///{tmp_path / 'other.db'}"}
    with serving(tmp_path):
        command = ("serve", "--no-worker", "--port", "0", "--data-dir", str(tmp_path))
        done = sevenstep(*command, environment=other)
    assert done.returncode == 1
    assert f"has {tmp_path}; stop it" in one_line(done.stderr)
    assert not (tmp_path / "other.db").exists()


def test_a_conductor_leaves_what_belongs_to_a_sqlite_file_alone(tmp_path: Path) -> None:
    stray = tmp_path / "artifacts" / ("a" * 16)
    stray.parent.mkdir()
    stray.write_bytes(b"")
    done = sevenstep("conductor", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "belongs to one process" in one_line(done.stderr)
    assert stray.exists()
    assert not (tmp_path / "sevenstep.db").exists()


def test_a_data_directory_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "data")
    done = sevenstep("serve", "--no-worker", "--port", "0", "--data-dir", folder)
    assert done.returncode == 1
    assert folder in one_line(done.stderr)
    assert "SEVENSTEP_DATA_DIR" in done.stderr


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "sevenstep.db"
    path.write_bytes(sqlite_template.read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    done = sevenstep("serve", "--no-worker", "--port", "0", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "newer" in one_line(done.stderr)


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "sevenstep.db").write_text("this is no database, it is a text file\n" * 100)
    done = sevenstep("serve", "--no-worker", "--port", "0", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "the database cannot be used" in one_line(done.stderr)


def test_torch_never_enters_the_service(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, file):
        with Client(file.address, file.token) as client:
            client.create(CONFIG)
            client.studies(limit=10)
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
    assert "/torch/" not in maps
    resident_kib = int(status.partition("VmRSS:")[2].split()[0])
    assert resident_kib < 200 * 1024


def test_db_upgrade_makes_the_tables(tmp_path: Path) -> None:
    done = sevenstep("db", "upgrade", "--data-dir", str(tmp_path))
    assert done.returncode == 0
    assert "this release's schema" in done.stdout
    assert (tmp_path / "sevenstep.db").exists()


def test_study_commands_need_a_service_and_work_with_one(tmp_path: Path) -> None:
    done = sevenstep("study", "list", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "sevenstep serve" in one_line(done.stderr)
    with serving(tmp_path) as (_, file):
        with Client(file.address, file.token) as client:
            study = client.create(CONFIG).id
        listed = sevenstep("study", "list", "--data-dir", str(tmp_path))
        assert study in listed.stdout
        ended = sevenstep("study", "cancel", study, "--data-dir", str(tmp_path))
        assert ended.returncode == 0
        shown = sevenstep("study", "show", study, "--data-dir", str(tmp_path))
        assert "Cancelled" in shown.stdout


@contextlib.contextmanager
def idle_worker(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [*SEVENSTEP, "serve", "--port", "0", "--slots", "1", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        log = data_dir / "worker.log"
        wait_for(lambda: log.exists() and "slots: cpu" in log.read_text(), what="the worker")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_ctrl_c_ends_a_service_whose_worker_waits_for_work(tmp_path: Path) -> None:
    with idle_worker(tmp_path) as process:
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        took = time.monotonic() - began
    assert took < 3
    assert json.loads((tmp_path / "server.json").read_text())["pid"] is None


def test_a_goodbye_ends_the_claims_that_wait(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, file), httpx2.Client(base_url=f"{file.address}/api/v1") as http:
        http.headers["Authorization"] = f"Bearer {file.token}"
        body = {"name": "w", "slots": 1, "version": "0", "devices": ["cpu"]}
        worker = http.post("/workers/register", json=body).json()["worker"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(
                http.post,
                f"/workers/{worker}/claim",
                json={"slot": 0, "wait_seconds": 20},
                timeout=30,
            )
            time.sleep(0.5)
            assert not waiting.done()
            began = time.monotonic()
            assert http.delete(f"/workers/{worker}").status_code == 204
            assert waiting.result(15).status_code == 404
            assert time.monotonic() - began < 1.5


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    """With a worker that does not hear: it is stopped, as one is that swaps."""
    with idle_worker(tmp_path) as process:
        agent = _child(process.pid)
        os.kill(agent, signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        took = time.monotonic() - began
    assert took < 2
    assert not Path(f"/proc/{agent}").exists()


def _child(parent: int) -> int:
    for task in Path(f"/proc/{parent}/task").iterdir():
        children = (task / "children").read_text().split()
        if children:
            return int(children[0])
    raise LookupError(f"process {parent} has no child")


def test_being_up_needs_nothing_that_only_a_step_does() -> None:
    program = (
        "import sys\n"
        "import service.server.serving\n"
        "print(*sorted({'torch', 'scipy.stats', 'optuna'} & set(sys.modules)))\n"
        "from service.conductor.warm_up import warm_up\n"
        "warm_up()\n"
        "print(*sorted({'torch', 'scipy.stats', 'optuna'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["", "optuna scipy.stats"]
