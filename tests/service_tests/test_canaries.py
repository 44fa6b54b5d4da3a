"""Secrets that can be recognised go through everything, and turn up nowhere."""

from __future__ import annotations

import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.processes import Installation, sevenstep, wait_for
from tests.service_tests.test_scopes import ALL, PATHS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ADMIN = "svs_CANARYadmin" + "0" * 40
WORKER = "svs_CANARYworker" + "0" * 40
PASSWORD = "CANARYpassword7"
CLOUD = "CANARYcloudkey7"
ENVIRONMENT = {
    "SEVENSTEP_ADMIN_TOKEN": ADMIN,
    "SEVENSTEP_WORKER_TOKEN": WORKER,
    "SEVENSTEP_DATABASE_PASSWORD": PASSWORD,
    "AWS_SECRET_ACCESS_KEY": CLOUD,
    "BACKUP_URL": f"postgresql://backup:{PASSWORD}@backup.example/all",
    "SEVENSTEP_LOG_LEVEL": "debug",
    "SEVENSTEP_LOG_REQUESTS": "true",
    "SEVENSTEP_LOG_FORMAT": "json",
}
TELLTALE = """
import logging, os, sys
from recipes import Task

class Telltale(Task):
    kind = "classification"
    num_classes = 2

    def data(self, split):
        print(os.environ)
        print(os.environ, file=sys.stderr, flush=True)
        logging.getLogger("mine").error("environment: %s", os.environ)
        {ending}

    def model(self, params):
        raise RuntimeError(repr(os.environ))
"""
ENDINGS = {
    "raises": "raise RuntimeError(f'it failed under {dict(os.environ)}')",
    "dies": "os._exit(7)",
}
BROKEN = ("{", '{"name": NaN}', "[" * 100_000, '{"name": "a", "task": 7}', "\xff", "")


@dataclass
class Haul:
    """Everything that came out, and every secret that must not be in it."""

    texts: dict[str, str]
    secrets: set[str]

    def hits(self) -> list[str]:
        return [
            f"{where}: …{text[max(0, text.index(secret) - 80) : text.index(secret) + 20]}…"
            for where, text in self.texts.items()
            for secret in self.secrets
            if secret in text
        ]


def everything_asked(house: Installation, study: str, haul: Haul) -> None:
    """Every route, well and badly, as the admin and as a browser."""
    with house.http() as http:
        path = http.post("/api/v1/tokens/links").json()["path"]
        haul.secrets.add(path.split("=")[1].split("&")[0])
        browser = httpx2.Client(base_url=house.address, trust_env=False, timeout=30.0)
        assert browser.get(path).status_code == 303
        ((cookie, session),) = browser.cookies.items()
        haul.secrets.add(session)
        values = {"study": study, "study_id": study, "number": "0", "verb": "pause"}
        for method, name in ALL:
            if name.startswith("stream_") or name == "logout":
                continue
            address = re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], "a" * 16), PATHS[name])
            if name in ("create_token", "create_login_link"):  # these answer a secret: once
                continue
            for body in BROKEN if method == "POST" else ("",):
                options: dict[str, Any] = {
                    "content": body.encode("latin-1"),
                    "headers": {"Content-Type": "application/json"},
                }
                haul.texts[f"{method} {name} {body[:9]}"] = said(
                    http.request(method, address, **options)
                )
            haul.texts[f"browser {method} {name}"] = said(browser.request(method, address))
            haul.texts[f"query {method} {name}"] = said(
                http.request(method, address, params={"limit": "x", "cursor": "y", "q": "z"})
            )
        browser.close()
        guessed = httpx2.get(
            f"{house.address}/studies", headers={"Cookie": f"{cookie}={PASSWORD}"}
        )
        haul.texts["a wrong cookie"] = said(guessed)


def said(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.headers} {answer.text}"


def broken_row(house: Installation, study: str) -> Iterator[str]:
    """Answers of a service that fails, because what is stored makes no sense."""
    with sqlite3.connect(house.data_dir / "sevenstep.db", timeout=20) as connection:
        connection.execute("UPDATE study SET config = '{' WHERE uid = ?", (study,))
    for path in (f"/api/v1/studies/{study}", f"/studies/{study}"):
        with house.http() as http:  # the server hangs up after a fault
            answer = http.get(path, headers={"Accept": "text/html"})
            assert answer.status_code == 500
            yield said(answer)


def test_no_secret_turns_up_in_logs_rows_or_answers(tmp_path: Path) -> None:
    haul = Haul({}, {ADMIN, WORKER, PASSWORD, CLOUD})
    with Installation(tmp_path / "data", environment=ENVIRONMENT) as house:
        studies = []
        for name, ending in ENDINGS.items():
            task = tmp_path / f"{name}.py"
            task.write_text(TELLTALE.replace("{ending}", ending))
            studies.append(house.create(f"{task}:Telltale"))
        for study in studies:
            report = house.wait(study)
            assert report.state == "failed"
        everything_asked(house, studies[0], haul)
        haul.texts |= {f"fault {n}": text for n, text in enumerate(broken_row(house, studies[1]))}
        rows = house.dump()
        haul.texts["rows"] = repr(rows)
        assert "it failed under" in haul.texts["rows"], "the task's last words are not stored"
        server_json = house.data_dir / "server.json"
        assert stat.S_IMODE(server_json.stat().st_mode) == 0o600
        wait_for(lambda: house.log.read_text().count("Traceback") > 0, what="a traceback")
    for path in [house.log, *house.data_dir.rglob("*.log")]:
        haul.texts[path.name] = path.read_text(errors="replace")
    assert '"status": 500' in haul.texts[house.log.name]
    assert "[redacted]" in haul.texts["rows"]
    assert haul.hits() == []


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://sevenstep:{PASSWORD}@127.0.0.1:1/name",
        f"postgresql://sevenstep:{PASSWORD}@127.0.0.1:port/name",
        f"postgresql://sevenstep:{PASSWORD}@[::1/name",
        f"mysql://sevenstep:{PASSWORD}@127.0.0.1/name",
        f"postgresql+nothing://sevenstep:{PASSWORD}@127.0.0.1/name",
        f"://{PASSWORD}",
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(
    tmp_path: Path, url: str
) -> None:
    for command in (("serve", "--port", "0"), ("db", "upgrade"), ("token", "list")):
        done = sevenstep(
            *command,
            "--data-dir",
            str(tmp_path),
            environment={"SEVENSTEP_DATABASE_URL": url, "SEVENSTEP_LOG_LEVEL": "debug"},
        )
        assert done.returncode != 0
        assert PASSWORD not in done.stdout + done.stderr
