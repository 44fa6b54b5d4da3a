"""The Python client against a real service, whole and over a network that breaks."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from recipes.step import StepKind, StepReport, StepState
from recipes.study import StudyConfig, StudyState
from service.client import (
    Client,
    Conflict,
    Curves,
    Event,
    Faulty,
    InvalidInput,
    NoService,
    NotFound,
    NotUnderstood,
    StillRunning,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from service.client.bar import Bar
from service.client.following import _Follower
from service.client.transport import Transport
from service.conductor.conductor import Conductor
from service.dispatch.scripted import ScriptedDispatcher
from service.server.server_file import ServerFile
from service.views.models import StudyView
from tests.cutting_proxy import CuttingProxy, cutting
from tests.processes import free_port, serving
from tests.service_tests.served import HOST, served
from tests.service_tests.support import Falling, PlainStep, recipe

pytestmark = pytest.mark.xdist_group("processes")

CONFIG = StudyConfig(name="first", task="digits")
LIGHT = """
import sys
from service.client import Client
from service.client import NoService
try:
    Client.from_server_file()
except NoService:
    pass
heavy = {"sqlalchemy", "alembic", "fastapi", "starlette", "optuna", "torch", "jinja2", "numpy"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerFile]:
    """Of a service without a worker: studies stay pending, whatever the machine does."""
    with serving(tmp_path_factory.mktemp("client")) as (_, left):
        yield left


@pytest.fixture
def client(file: ServerFile) -> Iterator[Client]:
    with Client(file.address, file.token) as made:
        yield made


@pytest.fixture
def proxy(file: ServerFile) -> Iterator[CuttingProxy]:
    with cutting(int(file.address.rpartition(":")[2])) as made:
        yield made


def test_it_loads_neither_half_of_an_installation(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIGHT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SEVENSTEP_DATA_DIR": str(tmp_path)},
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_study_is_created_by_fields_or_by_a_config_and_found(client: Client) -> None:
    first = client.create(name="by fields", task="digits", budget={"trials": 8}, steps=(1, 2))
    assert (first.state, first.budget.allowed.trials) == (StudyState.PENDING, 8)
    second = client.create(CONFIG)
    assert client.study(second.id).name == "first"
    assert [each.id for each in client.studies(limit=2)] == [second.id, first.id]
    assert len(client.studies(state="pending")) >= 2
    assert client.studies(state=StudyState.COMPLETED) == []
    assert client.trials(first.id) == []
    assert client.steps(first.id) == []
    assert client.findings(first.id) == []
    assert client.report(first.id).id == first.id
    assert client.document(first.id, "report.md").startswith("# ")


def test_a_list_goes_on_over_its_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [client.create(CONFIG).id for _ in range(5)]
    monkeypatch.setattr("service.client.transport.PAGE", 2)
    assert [each.id for each in client.studies(limit=5)] == made[::-1]


def test_a_study_is_held_let_go_and_ended(client: Client) -> None:
    study = client.create(CONFIG).id
    assert client.pause(study).state is StudyState.PAUSED
    assert client.resume(study).state is StudyState.PENDING
    assert client.cancel(study).state is StudyState.CANCELLED
    with pytest.raises(Conflict, match="cancelled for good") as refused:
        client.pause(study)
    assert (refused.value.status, refused.value.code) == (409, "invalid_state")


def test_a_study_is_deleted_by_its_name(client: Client) -> None:
    study = client.create(CONFIG).id
    client.cancel(study)
    with pytest.raises(InvalidInput, match="confirm"):
        client.delete(study, confirm="another")
    client.delete(study, confirm="first")
    with pytest.raises(NotFound):
        client.delete(study, confirm="first")


def test_what_does_not_fit_names_its_field(client: Client) -> None:
    with pytest.raises(InvalidInput, match="seed: ") as by_form:
        client.create(name="first", task="digits", seed=-1)
    assert by_form.value.field == "seed"
    with pytest.raises(ValueError, match="learning"):
        client.create(name="first", task="digits", learning_rate=0.1)
    with pytest.raises(InvalidInput, match="allow-task-files") as by_service:
        client.create(name="first", task="/tmp/net.py:Net")
    assert (by_service.value.field, by_service.value.status) == ("task", 422)
    assert by_service.value.cure


def test_errors_say_which_they_are(client: Client, file: ServerFile) -> None:
    with pytest.raises(NotFound, match="there is no study nowhere"):
        client.study("nowhere")
    with pytest.raises(NotFound):
        client.study("../../healthz")
    with Client(file.address, "svs_wrong") as other, pytest.raises(Unauthorized):
        other.studies()
    with (
        Client(f"http://127.0.0.1:{free_port()}", "t", patience_seconds=0) as nobody,
        pytest.raises(Unreachable, match="no service answers"),
    ):
        nobody.studies()


@pytest.mark.parametrize(
    ("address", "token", "field"),
    [
        ("127.0.0.1:8080", "t", "address"),
        ("ftp://host", "t", "address"),
        ("http://h", "a\n", "token"),
    ],
)
def test_what_cannot_be_an_address_or_a_token_is_refused(
    address: str, token: str, field: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        Client(address, token)


def test_the_service_of_this_machine_is_found_by_its_file(
    tmp_path: Path, client: Client, file: ServerFile
) -> None:
    with pytest.raises(NoService, match="sevenstep serve"):
        Client.from_server_file(tmp_path)
    (tmp_path / "server.json").write_text(file.model_dump_json())
    with Client.from_server_file(tmp_path) as found:
        assert found.is_sevenstep()
        assert found.address == client.address


def test_a_study_whose_answer_was_lost_is_created_once(
    client: Client, proxy: CuttingProxy, file: ServerFile
) -> None:
    with Client(proxy.address, file.token) as other:
        proxy.swallow = 2
        study = other.create(name="lost on the way", task="digits")
    assert proxy.num_cuts == 2
    assert [each.id for each in client.studies() if each.name == "lost on the way"] == [study.id]


def test_a_script_that_runs_twice_creates_once(client: Client) -> None:
    made = {client.create(CONFIG, idempotency_key="nightly-2026-11-21").id for _ in range(2)}
    assert len(made) == 1
    with pytest.raises(InvalidInput) as refused:
        client.create(name="other", task="digits", idempotency_key="nightly-2026-11-21")
    assert refused.value.code == "idempotency_key_reused"


def test_a_deletion_whose_answer_was_lost_is_no_error(
    client: Client, proxy: CuttingProxy, file: ServerFile
) -> None:
    study = client.create(CONFIG).id
    client.cancel(study)
    with Client(proxy.address, file.token) as other:
        proxy.swallow = 1
        other.delete(study, confirm="first")
    assert proxy.num_cuts == 1


def test_events_of_a_stream_that_is_cut_come_once_each(
    client: Client, proxy: CuttingProxy, file: ServerFile
) -> None:
    study = client.create(CONFIG).id
    for _ in range(10):
        client.pause(study)
        client.resume(study)
    client.cancel(study)
    with Client(proxy.address, file.token) as other:
        whole = list(client.events(study))
        proxy.cut_after = itertools.cycle((3, 5, 4))  # headers, `at`, and some of the events
        seen: list[Event] = list(other.events(study))
    assert [event.id for event in seen] == list(range(1, len(whole) + 1))
    assert seen == whole
    assert seen[-1].data["payload"] == {"state": "cancelled"}
    assert list(client.events(study, after=whole[-2].id)) == whole[-1:]
    assert list(client.events(study, after=whole[-1].id)) == []


def test_events_of_an_ended_study_are_all_there_before_the_stream_is_over(
    scripted: str, client: Client
) -> None:
    """The connection falls silent and ends after the first of two events."""
    study = client.create(CONFIG).id
    view = client.cancel(study).model_dump_json()

    def streamed(after: int) -> tuple[int, dict[str, str], str]:
        begun = f"event: at\nid: {after}\ndata: {json.dumps({'after': after, 'newest': 2})}\n\n"
        event = f"event: step\nid: {after + 1}\ndata: {{}}\n\n"
        return 200, {"Content-Type": "text/event-stream"}, begun + event

    Script.answers = [(200, {}, view), streamed(0), (200, {}, view), streamed(1)]
    with Client(scripted, "t") as other:
        assert [event.id for event in other.events(study)] == [1, 2]


def test_events_go_on_over_a_restart_of_the_service(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, first):
        client = Client(first.address, first.token)
        study = client.create(CONFIG).id
        stream = client.events(study)
        seen = [next(stream)]
    with client, serving(tmp_path, "--port", first.address.rpartition(":")[2]):
        client.cancel(study)
        seen += list(stream)
    assert [event.id for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].data["payload"] == {"state": "cancelled"}


def test_waiting_has_an_end(client: Client) -> None:
    study = client.create(CONFIG).id
    with pytest.raises(StillRunning, match=study):
        client.wait(study, timeout_seconds=0.3)
    with pytest.raises(TimeoutError):
        client.wait(study, timeout_seconds=0)
    states: list[StudyState] = []
    threading.Timer(0.3, client.cancel, [study]).start()
    report = client.wait(study, progress=lambda seen: states.append(seen.state))
    assert report.state is StudyState.CANCELLED
    assert (states[0], states[-1]) == (StudyState.PENDING, StudyState.CANCELLED)
    with pytest.raises(NotFound):
        client.wait("nowhere")


class Told:
    """Keeps the verdicts that an observer is told."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []

    def judged(self, report: StepReport) -> None:
        self.reports.append(report)

    def now(self, study: StudyView) -> None:
        pass

    def away(self) -> None:
        pass


def test_each_verdict_is_fetched_once_and_by_itself(tmp_path: Path, sqlite_template: Path) -> None:
    two_steps = recipe(PlainStep(StepKind.INITIAL_LOSS), PlainStep(StepKind.OVERFIT_SAMPLE))
    asked: list[str] = []
    told = Told()
    with served(tmp_path / "data", sqlite_template, run_conductor=False) as http:
        context = http.app.state.context  # type: ignore[attr-defined]
        database, settings = context.database, context.settings
        dispatcher = ScriptedDispatcher(database, Falling(), settings=settings)
        conductor = Conductor(database, settings=settings, dispatcher=dispatcher, recipe=two_steps)
        study = http.create(steps=(1, 2))["id"]
        transport = Transport(HOST, "t", patience_seconds=0)
        transport.http.close()
        transport.http = http
        http.event_hooks = {"request": [lambda request: asked.append(request.url.path)]}
        follower = _Follower(transport, study, told)
        for _ in range(12):  # more looks than a study of two steps needs
            conductor.look()
            follower.look()
    assert [report.number for report in told.reports] == [1, 2]
    steps = f"/api/v1/studies/{study}/steps"
    assert [path for path in asked if path.startswith(steps)] == [f"{steps}/1", f"{steps}/2"]


class Script(BaseHTTPRequestHandler):
    """Answers with what the test wrote down, one after the other; the last one for good."""

    answers: list[tuple[int, dict[str, str], str]] = []
    keys: list[str | None] = []

    def do_GET(self) -> None:
        self.keys.append(self.headers.get("Idempotency-Key"))
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def scripted() -> Iterator[str]:
    Script.keys = []
    server = HTTPServer(("127.0.0.1", 0), Script)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def problem(status: int, code: str, retry_after: str) -> tuple[int, dict[str, str], str]:
    body = {"detail": f"{code}; later", "code": code, "status": status, "errors": []}
    return status, {"Retry-After": retry_after}, json.dumps(body)


def test_an_answer_that_asks_to_come_back_is_kept_to(scripted: str, client: Client) -> None:
    view = client.create(CONFIG).model_dump_json()
    Script.answers = [
        problem(429, "rate_limited", "0.05"),
        problem(503, "database_unavailable", "0.05"),
        problem(409, "idempotency_key_in_use", "0.05"),
        (201, {}, view),
    ]
    with Client(scripted, "t", patience_seconds=5) as other:
        assert other.create(CONFIG).name == "first"
    assert len(Script.keys) == 4
    assert len(set(Script.keys)) == 1  # each try is known as the same one
    assert None not in Script.keys


def test_patience_has_an_end(scripted: str) -> None:
    Script.answers = [problem(429, "rate_limited", "60")]
    with (
        Client(scripted, "t", patience_seconds=5) as other,
        pytest.raises(TooManyRequests) as late,
    ):
        other.studies()
    assert late.value.retry_after_seconds == 60
    Script.answers, Script.keys = [problem(500, "fault", "0")], []
    with Client(scripted, "t") as other, pytest.raises(Faulty):
        other.studies()
    assert len(Script.keys) == 1  # it would fail again


def test_an_answer_of_another_program_is_named(scripted: str) -> None:
    Script.answers = [(200, {}, "<html>hello</html>")]
    with Client(scripted, "t") as other, pytest.raises(NotUnderstood, match="is it a Sevenstep"):
        other.studies()


def test_a_newer_service_may_say_more(scripted: str, client: Client) -> None:
    view = client.create(CONFIG).model_dump(mode="json")
    more = {**view, "colour": "green", "budget": {**view["budget"], "left": 3}}
    Script.answers = [(200, {}, json.dumps(more))]
    with Client(scripted, "t") as other:
        assert other.study(view["id"]).model_dump(mode="json") == view


def test_curves_are_tuples_until_arrays_are_asked_for() -> None:
    curves = Curves.model_validate(
        {
            "trial": 3,
            "curves": [
                {"metric": "loss", "split": "val", "iterations": [1, 2], "values": [0.5, "NaN"]}
            ],
        }
    )
    curve = curves["loss", "val"]
    assert curve.values[0] == 0.5
    assert math.isnan(curve.values[1])
    iterations, values = curve.to_numpy()
    assert (iterations.dtype, values.dtype) == (np.int64, np.float64)
    assert np.array_equal(values, [0.5, math.nan], equal_nan=True)
    with pytest.raises(KeyError, match="there is: loss on val"):
        curves["accuracy", "val"]


def test_the_bar_shows_where_a_study_is(client: Client) -> None:
    study = client.create(CONFIG)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    report = StepReport(
        number=1,
        kind=StepKind.INITIAL_LOSS,
        round=1,
        pass_number=1,
        state=StepState.PASSED,
        verdict=StepState.PASSED,
        sentence="Loss 2.3 [as it should be].",
    )
    with Bar(console) as bar:
        bar.now(study)
        bar.judged(report)
        bar.away()
    text = stream.getvalue()
    assert "passed. Loss 2.3 [as it should be]." in text
    assert "the service is away" in text
