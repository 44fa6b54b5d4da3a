"""Bad input as people meet it: a clear word, the right code, and nothing changed."""

import json
import os
import shutil
import socket
import sqlite3

import pytest

from tests.processes import Installation, sevenstep, wait_for

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(240)]

TASK = """\
import torch
from torch import nn
from recipes import Float, Task


def pair(num, classes=3):
    targets = torch.arange(num) % classes
    noise = torch.randn(num, 4, generator=torch.Generator().manual_seed(0))
    return noise + 3 * nn.functional.one_hot(targets, 4), targets


class Net(Task):
    num_classes = 3

    def data(self, split):
        return pair(120) if split == "train" else None

    def model(self, params):
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
"""
"""A healthy task. The others differ from it by one change."""

BROKEN_FILES = {
    "does not import": (
        ("num_classes = 3", "num_classes = = 3"),
        (".py:13: ", "SyntaxError", "Cure: correct the line"),
    ),
    "imports what is not there": (
        ("import torch\n", "import torch\nimport torchh\n"),
        (".py:2: ", "torchh", "Cure: check the spelling"),
    ),
    "class without model": (
        ("def model", "def modell"),
        ("class Net has no `model`", "Cure: define model(self, params)"),
    ),
    "model that raises": (
        ("return nn.Seq", "raise RuntimeError('out of order')\n        return nn.Seq"),
        (".py:19: ", "out of order", "Cure:"),
    ),
    "wrong output shape": (
        ("nn.Linear(16, 3)", "nn.Linear(16, 7)"),
        ("(64, 7)", "(64, 3)", "Cure: end the model with 3 outputs"),
    ),
    "empty split": (
        ("else None", "else pair(0) if split == 'val' else None"),
        ('data("val") is empty', "Cure: return at least one sample"),
    ),
    "one sample": (("pair(120)", "pair(1)"), ("has 1 sample, and training needs 2", "Cure:")),
    "low above high": (
        ("num_classes = 3", "num_classes = 3; space = {'lr': Float(1.0, 0.1)}"),
        (".py:13: ", "low (1) must be below high (0.1)"),
    ),
    "log range at 0": (
        ("num_classes = 3", "num_classes = 3; space = {'lr': Float(0, 0.1, log=True)}"),
        (".py:13: ", "a log range cannot start at 0; give a positive low"),
    ),
    "lazy layer": (
        ("nn.Linear(4, 16)", "nn.LazyLinear(16)"),
        ("lazy layers", "Cure: give the sizes: nn.Linear(in, out)"),
    ),
}


def changed(change):
    old, new = change
    assert TASK.count(old) == 1
    return TASK.replace(old, new)


# -- the command line, where nothing runs yet --


@pytest.mark.parametrize("fault", BROKEN_FILES)
def test_a_task_that_cannot_be_used_makes_no_study(fault, tmp_path):
    change, words = BROKEN_FILES[fault]
    (tmp_path / "task.py").write_text(changed(change))

    done = sevenstep("check", str(tmp_path / "task.py"), "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 1, done
    assert str(tmp_path / "task.py") in done.stderr
    for word in words:
        assert word in done.stderr
    (greeting,) = done.stdout.splitlines()
    assert greeting.startswith("Sevenstep ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("digitz",), 1, ("no task 'digitz'", "did you mean 'digits'")),
        (("no/such.py",), 1, ("such.py does not exist", "Cure:")),
        (("digits", "--set", "learning_rate=1"), 2, ("'learning_rate'", "own names are lr")),
        (("digits", "--set", "hiden=64"), 2, ("'hiden'", "did you mean 'hidden'")),
        (("digits", "--set", "lr=1..0.1"), 2, ("lr=1..0.1", "low (1) must be below high (0.1)")),
        (("digits", "--set", "lr=0..1"), 2, ("lr=0..1", "a log range cannot start at 0")),
        (("digits", "--set", "lr=nan"), 2, ("set.lr", "nan", "give a number")),
        (("digits", "--set", "lr=-1"), 2, ("set.lr", "-1", "above 0")),
        (("digits", "--set", "batch_size=0"), 2, ("set.batch_size", "0", "1 or more")),
        (("digits", "--set", "optimizer=magic"), 2, ("set.optimizer", "magic", "sgd, adagrad")),
        (("digits", "--set", "hidden=6.5"), 2, ("set.hidden", "6.5", "whole number")),
        (("digits", "--arg", "depth=3"), 1, ("no argument 'depth'", "Cure: it takes none")),
        (("digits", "--seed", "-1"), 2, ("--seed",)),
        (("digits", "--name", "a\nb"), 2, ("name", "control characters")),
    ],
    ids=lambda value: "_".join(value).replace("\n", "~") if isinstance(value, tuple) else None,
)
def test_what_is_asked_for_does_not_fit(arguments, code, words, tmp_path):
    done = sevenstep("run", *arguments, "--data-dir", str(tmp_path / "data"))

    assert done.returncode == code, done
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


# -- starting a service --


def one_line(done):
    assert done.returncode == 1, done
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_port_in_use_leaves_no_file(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = sevenstep("serve", "--port", port, "--data-dir", str(tmp_path / "data"))

    assert f"port {port} of 127.0.0.1 is in use; give another one with --port" in one_line(done)
    assert not (tmp_path / "data" / "sevenstep.db").exists()


@pytest.fixture
def powerless():
    """A command that takes root's power to write anywhere; nothing for other users."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")


@pytest.mark.parametrize(
    "command", [("serve", "--port", "0"), ("run", "digits"), ("db", "upgrade")]
)
def test_a_folder_that_may_not_be_written_is_named(command, powerless, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o500)

    done = sevenstep(*command, "--data-dir", str(folder), prefix=powerless)

    line = one_line(done)
    assert str(folder) in line
    assert "set SEVENSTEP_DATA_DIR to a folder you may write" in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "command", [("serve", "--port", "0"), ("run", "digits"), ("db", "upgrade")]
)
def test_a_newer_schema_is_left_as_it_is(command, sqlite_template, tmp_path):
    path = tmp_path / "sevenstep.db"
    shutil.copy(sqlite_template, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = path.read_bytes()

    line = one_line(sevenstep(*command, "--data-dir", str(tmp_path)))

    assert "schema 9999" in line
    assert "newer sevenstep: install that release, or use another database" in line
    assert path.read_bytes() == before
    assert not (tmp_path / "server.json").exists()


# -- a running service --


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Installation(tmp_path_factory.mktemp("service") / "data", worker=False) as installation:
        yield installation


@pytest.fixture
def unchanged(service):
    """Fails a test after which any row or artifact is another one than before."""
    service.wait_until_announced()  # with a link that signs in, which is a row
    before = service.dump()
    yield
    assert service.dump() == before
    assert list((service.data_dir / "artifacts").iterdir()) == []


def a_range(**fields):
    return {"space": {"lr": {"kind": "float", **fields}}}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", "body", "JSON object"),
        (b"null", "body", "JSON object"),
        (b'{"name": "n", "task": "digits", "set": {"lr": NaN}}', "body", 'send the string "NaN"'),
        (b'{"name": "\xff", "task": "digits"}', "body", "not UTF-8"),
        (b'{"name": "\\ud800", "task": "digits"}', "name", "unicode"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"seed": -1}, "seed", "greater than or equal to 0"),
        ({"seed": "NaN"}, "seed", "give a whole number"),
        ({"seed": True}, "seed", "give a whole number"),
        ({"steps": [9]}, "steps", "no step 9 to carry out; give some of 1 to 7"),
        ({"steps": [0, 1]}, "steps", "no step 0"),
        ({"steps": []}, "steps", "at least 1 of them"),
        ({"set": {"lr": "NaN"}}, "set.lr", "give a finite number above 0"),
        ({"set": {"batch_size": 0}}, "set.batch_size", "1 or more"),
        ({"incumbent": {"lr": -1}}, "incumbent.lr", "give a finite number above 0"),
        ({"steps": [2, 1]}, "steps", "once and in order, as in [1, 2]"),
        ({"steps": [1, 1]}, "steps", "once and in order, as in [1]"),
        ({"name": "a\nb"}, "name", "leave out line breaks and other control characters"),
        ({"name": "a\x7fb"}, "name", "control characters"),
        ({"name": "a\u202eb"}, "name", "control characters"),
        ({"name": "  "}, "name", "can be seen"),
        ({"name": "x" * 101}, "name", "at most 100"),
        ({"task": "/tmp/../etc/passwd"}, "task", "ends in .py"),
        ({"task": "../../task.py:Net"}, "task", "absolute path"),
        ({"task": "/tmp/a\0.py"}, "task", "ends in .py"),
        ({"task": "digits\0"}, "task", "does not fit"),
        ({"task": "digitz"}, "task", "did you mean 'digits'? built in are digits, digits-conv"),
        ({"seed": 1.5}, "seed", "whole number"),
        ({"set": {"batch_size": 32.0}}, "set.batch_size", "whole number"),
        (a_range(low=1, high=0.1), "space.lr", "low (1) must be below high (0.1)"),
        (a_range(low=0, high=1, log=True), "space.lr", "a log range cannot start at 0"),
        (a_range(low="NaN", high=1), "space.lr", "finite number"),
        (a_range(low=-1, high=1), "space.lr", "above 0"),
    ],
    ids=str,
)
def test_a_study_that_does_not_fit_is_refused(body, field, words, service):
    if isinstance(body, dict):
        body = json.dumps({"name": "n", "task": "digits", **body}).encode()
    with service.http() as http:
        answer = http.post(
            "/api/v1/studies", content=body, headers={"Content-Type": "application/json"}
        )

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["field"].startswith(field)
    assert words in problem["detail"]


@pytest.mark.usefixtures("unchanged")
def test_a_body_without_its_type_or_of_five_mebibytes(service):
    study = json.dumps({"name": "n", "task": "digits"})
    with service.http() as http:
        plain = http.post("/api/v1/studies", content=study, headers={"Content-Type": "text/plain"})
        large = http.post("/api/v1/studies", content=study + " " * 5 * 2**20)

    assert plain.status_code == 415
    assert "Content-Type: application/json" in plain.json()["detail"]
    assert large.status_code == 413
    assert "at most 4194304 bytes" in large.json()["detail"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Authorization": ""}, 401, "send a token: `Authorization: Bearer svs_...`"),
        ({"Authorization": "Bearer svs_wrong"}, 401, "is not known, was revoked or has expired"),
        ({"Host": "evil.example"}, 403, "SEVENSTEP_ALLOWED_HOSTS"),
    ],
    ids=["no token", "wrong token", "foreign Host"],
)
def test_strangers_are_refused(headers, status, words, service):
    with service.http(**headers) as http:
        for answer in (
            http.get("/api/v1/studies"),
            http.post("/api/v1/studies", json={"name": "n", "task": "digits"}),
            http.post("/api/v1/workers/register", json={"name": "w", "slots": 1, "version": "0"}),
        ):
            assert answer.status_code == status
            assert words in answer.json()["detail"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("uid", ["a'b", "%00", "a%0Ab", "a" * 65, "..", "x;DROP TABLE study"])
def test_a_malformed_id_is_refused(uid, service):
    with service.http() as http:
        answers = [
            http.request(method, f"/api/v1/studies/{uid}{rest}")
            for method, rest in (("GET", "/trials"), ("GET", "/report.json"), ("POST", "/cancel"))
        ]

    for answer in answers:
        assert answer.status_code in (404, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        if answer.status_code == 422:
            assert "letters, digits, - and _ alone" in answer.json()["detail"]


def test_the_same_study_twice_is_two_studies_with_any_name_that_can_be_seen(service):
    name = "Größe 学習 🙂"
    with service.http() as http:
        made = [
            http.post("/api/v1/studies", json={"name": name, "task": "digits"}).json()
            for _ in range(2)
        ]
        found = [http.get(f"/api/v1/studies/{study['id']}").json() for study in made]

    assert made[0]["id"] != made[1]["id"]
    assert [study["name"] for study in found] == [name, name]


# -- studies whose task shows its fault only to a worker --


@pytest.fixture(scope="module")
def working(tmp_path_factory):
    with Installation(tmp_path_factory.mktemp("working") / "data") as installation:
        yield installation


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"task": "/no/such.py"}, ("/no/such.py does not exist", "path of a Python file")),
        ({"set": {"learning_rate": 0.1}}, ("'learning_rate'", "own names are lr")),
        ({"set": {"hidden": 10**400}}, ("set.hidden", "at most")),
        ({"incumbent": {"hidden": "wide"}}, ("incumbent.hidden", "'wide'", "give a number")),
        ({"space": {"depth": {"kind": "int", "low": 1, "high": 2}}}, ("'depth'", "own names")),
        ({"space": {"hidden": {"kind": "float", "low": 0, "high": 1}}}, ("space.hidden", "whole")),
    ],
    ids=str,
)
def test_a_study_that_fails_at_its_task_says_why_and_trains_nothing(fields, words, working):
    body = json.dumps({"name": "n", "task": "digits", **fields})
    with working.http() as http:
        made = http.post(
            "/api/v1/studies", content=body, headers={"Content-Type": "application/json"}
        )
    assert made.status_code == 201, made.text
    report = working.wait(made.json()["id"])

    said = f"{report.reason} {report.problem.cure if report.problem else ''}"
    assert report.state == "failed", report
    for word in words:
        assert word in said
    assert report.trials == ()
    assert report.steps == ()


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (("pair(120)", "pair(120, classes=2)"), "class_imbalance"),
        (("import torch\n", "import time\nimport torch\nprint('{}')\ntime.sleep(2)\n"), None),
    ],
    ids=["a class that never occurs", "prints and sleeps at import"],
)
def test_what_is_odd_and_no_fault_is_carried_out(change, warning, working, tmp_path):
    path = tmp_path / "Größe 学習.py"
    path.write_text(changed(change))

    report = working.wait(working.create(str(path)))

    assert report.state == "completed", report.reason
    first = "passed" if warning is None else "warning"
    assert [step.verdict for step in report.steps] == [first, "passed", "passed"]
    assert [each.code for each in report.steps[0].findings] == ([warning] if warning else [])


NOT_THE_CODE = ("is not the code", "new study")
NO_IMPORT = ("does not import", "correct the line")


@pytest.mark.parametrize(
    ("edit", "reasons"),
    [
        (("nn.Linear(16, 3)", "nn.Linear(16, 3, bias=False)"), [NOT_THE_CODE]),
        # A slot that was sent its job just before the edit still has the old code loaded and
        # sees the file differ; any later one tries to import it. Both say what to do.
        (("num_classes = 3", "num_classes = = 3"), [NO_IMPORT, NOT_THE_CODE]),
    ],
    ids=["edited", "broken"],
)
def test_a_task_edited_while_its_study_runs_ends_the_study(edit, reasons, working, tmp_path):
    path = tmp_path / "task.py"
    path.write_text(TASK)
    study = working.create(str(path))
    query = f"SELECT 1 FROM step_run JOIN study ON study.id = study_id WHERE uid = '{study}'"
    wait_for(lambda: working.rows(query), what="step 1")
    path.write_text(changed(edit))

    report = working.wait(study)

    assert report.state == "failed"
    assert report.problem is not None
    said = f"{report.problem.message}; {report.problem.cure}"
    assert any(all(word in said for word in words) for words in reasons), said
    assert report.problem.file == str(path)
    assert {trial.state for trial in report.trials} <= {"complete", "failed", "cancelled"}
    assert {step.state for step in report.steps} <= {"passed", "inconclusive"}


def test_a_command_checks_its_settings_before_it_asks_a_running_service(working):
    before = working.rows("SELECT id FROM study")

    done = sevenstep("run", "digits", "--set", "lr=0", "--data-dir", str(working.data_dir))

    assert done.returncode == 2
    assert "set.lr: 0 does not fit; give a finite number above 0" in done.stderr
    assert working.rows("SELECT id FROM study") == before
