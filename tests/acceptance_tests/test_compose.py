"""The compose file: valid, hardened, and its processes complete a study with two workers."""

import json
import re
import secrets
import subprocess
import sys
import tomllib
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from recipes.study import StudyConfig
from service.client import Client
from tests.acceptance_tests.small_study import WHOLE
from tests.compose import COMPOSE_FILE, DATABASE, ROOT, Stack, load, open_ports
from tests.processes import QUICK, wait_for

OURS = ("migrate", "service", "conductor", "worker-cpu", "worker-gpu")


def test_it_is_a_compose_file():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", COMPOSE_FILE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_names_is_there():
    content = load({})
    for name in OURS:
        service = content["services"][name]
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert set(service["secrets"]) <= set(content["secrets"])
        assert set(service["networks"]) <= set(content["networks"])
        for mount in service["volumes"]:
            assert mount.partition(":")[0] in content["volumes"]
        for condition in service.get("depends_on", {}).values():
            assert condition["condition"] in ("service_healthy", "service_completed_successfully")
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "secrets/" in ignored


def test_every_container_has_the_least_it_needs():
    content = load({})
    for name, service in content["services"].items():
        assert service["init"] is True, name
        assert service["read_only"] is True, name
        for variable, value in service.get("environment", {}).items():
            is_secret = re.search("PASSWORD|TOKEN|SECRET", variable)
            assert not is_secret or variable.endswith("_FILE"), f"{name} has {variable}"
            assert not re.search(r"svs_|://[^/@]*:[^/@]*@", value), f"{name} has {variable}"
        if name in OURS:
            assert service["cap_drop"] == ["ALL"]
            assert "no-new-privileges:true" in service["security_opt"]
            dockerfile = (ROOT / service["build"]["dockerfile"]).read_text()
            assert re.search(r"^USER 10001", dockerfile, re.MULTILINE)
    published = {name for name, each in content["services"].items() if each.get("ports")}
    assert published == {"service"}
    assert all(port.startswith("127.0.0.1:") for port in content["services"]["service"]["ports"])
    # A worker runs its users' code: it must not reach the database, nor see its password.
    for name in ("worker-cpu", "worker-gpu"):
        assert not set(content["services"][name]["networks"]) & set(
            content["services"][DATABASE]["networks"]
        )
        assert content["services"][name]["secrets"] == ["worker_token"]
    assert content["networks"]["database"]["internal"] is True


def test_gpus_are_reserved_for_the_gpu_profile_alone():
    services = load({})["services"]
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert [name for name, each in services.items() if each.get("deploy")] == ["worker-gpu"]
    assert services["worker-cpu"]["profiles"] == ["cpu"]
    assert services["worker-gpu"]["profiles"] == ["gpu"]


def required(extra):
    """The names of all that an image with this extra installs, by what is installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [
        Requirement(line)
        for line in (*project["dependencies"], *project["optional-dependencies"][extra])
    ]
    found = {}
    while waiting:
        each = waiting.pop()
        name, wanted = canonicalize_name(each.name), frozenset(each.extras)
        if name in found and wanted <= found[name]:
            continue
        found[name] = found.get(name, frozenset()) | wanted
        for line in requires(each.name) or ():
            inner = Requirement(line)
            extras = ("", *found[name])
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(inner)
    return set(found)


def test_the_service_s_image_has_no_torch_and_a_worker_s_no_database():
    service, worker = required("service"), required("worker")
    assert {"fastapi", "sqlalchemy", "psycopg-binary", "prometheus-client", "optuna"} <= service
    assert not {name for name in service if re.match("torch|nvidia|triton|cuda|scikit", name)}
    assert "torch" in worker
    assert not {"sqlalchemy", "psycopg", "fastapi", "optuna"} & worker


def token() -> str:
    return f"svs_{secrets.token_hex(32)}"


@pytest.fixture
def stack(postgres, tmp_path):
    """The file's secrets, and a database that asks for the password."""
    if postgres.folder is None:
        pytest.skip("the given Postgres's rules of access are not ours to change")
    password = secrets.token_hex(16) + "@/:%"  # what a URL would have to escape
    engine = create_engine(make_url(postgres.url).set(drivername="postgresql+psycopg"))
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f"CREATE ROLE sevenstep LOGIN PASSWORD '{password}'"))
        connection.execute(text("CREATE DATABASE sevenstep OWNER sevenstep"))
        rules.write_text(f"host all sevenstep 127.0.0.1/32 scram-sha-256\n{before}")
        connection.execute(text("SELECT pg_reload_conf()"))
        given = {
            "database_password": password,
            "admin_token": token(),
            "worker_token": token(),
        }
        try:
            with Stack(
                tmp_path,
                make_url(postgres.url).port or 5432,
                given,
                {"SEVENSTEP_SLOTS": "1"},
            ) as made:
                for name in OURS:
                    made.services[name].setdefault("environment", {}).update(QUICK)
                yield made
        finally:
            connection.execute(text("DROP DATABASE sevenstep WITH (FORCE)"))
            connection.execute(text("DROP ROLE sevenstep"))
            rules.write_text(before)
            connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("processes")
def test_its_processes_complete_a_study(stack):
    stack.up("cpu", "gpu")
    assert stack.started["migrate"].returncode == 0
    with Client(stack.address, stack.secrets["admin_token"]) as client:
        study = client.create(StudyConfig(name="composed", task="digits", **WHOLE))
        wait_for(
            lambda: client.study(study.id).state.has_ended,
            seconds=400,
            every=0.5,
            what="the study's end",
        )
        report = client.report(study.id)
        workers = client.workers()

    assert report.state == "completed", report.reason
    assert {step.number for step in report.steps} == set(range(1, 8))
    assert len(workers) == 2
    shares = {
        name: sum("succeeded" in line for line in stack.log(name).splitlines())
        for name in ("worker-cpu", "worker-gpu")
    }
    assert all(share > 0 for share in shares.values()), shares
    # Nobody but the service listens; the conductor, not the service, took the decisions.
    assert open_ports(stack.started["service"]) == {stack.port}
    assert open_ports(stack.started["conductor"]) == set()
    told = [json.loads(line) for line in stack.log("conductor").splitlines()]
    assert any(line.get("study") == study.id and "step 7" in line["message"] for line in told)
    for name in OURS:
        written = stack.log(name)
        assert not [secret for secret in stack.secrets.values() if secret in written], name


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.xdist_group("processes")
def test_a_wrong_password_stops_it_where_it_is_known(stack):
    stack.secret("database_password").write_text("another\n")
    with pytest.raises(AssertionError, match="migrate ended with 1"):
        stack.up()
    assert "password authentication failed" in stack.log("migrate")
    assert "service" not in stack.started
