"""A compose file's processes without a container engine: same commands, same environment.

What is translated is where things are: a service's name becomes 127.0.0.1, its port a free
one, a volume a folder, a secret a file. The order of starting, health checks and all, is the
file's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.processes import END_WITH_US, SEVENSTEP, free_port

ROOT = Path(__file__).parents[1]
COMPOSE_FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::-(?P<default>[^}]*))?\}")
ENV_LINE = re.compile(r"^ENV (?P<name>[A-Z_]+)=(?P<value>\S+)$", re.MULTILINE)
DATABASE = "postgres"
"""The one service whose image is not ours: a server of the tests' takes its place."""


class ComposeError(AssertionError):
    """A process did not do what the file says of it."""


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """A value of the file with ``${NAME:-default}`` filled in.

    As the specification has it, that comes after YAML is read: what is filled in stays text.
    """
    match value:
        case str():
            return VARIABLE.sub(
                lambda match: variables.get(match["name"], "") or match["default"] or "", value
            )
        case dict():
            return {key: interpolated(each, variables) for key, each in value.items()}
        case list():
            return [interpolated(each, variables) for each in value]
        case _:
            return value


def load(variables: Mapping[str, str]) -> dict[str, Any]:
    """The compose file's content."""
    content = interpolated(yaml.safe_load(COMPOSE_FILE.read_text()), variables)
    assert isinstance(content, dict)
    return content


def image_environment(service: Mapping[str, Any]) -> dict[str, str]:
    """What a service's Dockerfile sets in its last stage, the search path aside."""
    dockerfile = (ROOT / service["build"]["dockerfile"]).read_text()
    last_stage = dockerfile.rpartition("\nFROM ")[2]
    found = {match["name"]: match["value"] for match in ENV_LINE.finditer(last_stage)}
    del found["PATH"]
    return found


@dataclass
class Stack:
    """The file's processes on this machine. A context manager: all end with it.

    Args:
        folder: For volumes, secrets and logs.
        database_port: Where the tests' Postgres listens.
        secrets: The secrets' contents, by name.
        variables: What the file is interpolated with.
    """

    folder: Path
    database_port: int
    secrets: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.content = load({**self.variables, "SEVENSTEP_PORT": str(self.port)})
        self.services: dict[str, dict[str, Any]] = self.content["services"]
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        for name, definition in self.content["secrets"].items():
            path = self.secret(name)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            path.write_text(self.secrets[name] + "\n")
            assert definition["file"] == f"./secrets/{name}"

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        # The other way round than they were started: workers hand back what they hold.
        for process in reversed(list(self.started.values())):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            assert process.stdin is not None
            process.stdin.close()

    def secret(self, name: str) -> Path:
        """Where a secret's file is."""
        return self.folder / "secrets" / name

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{name}.log").read_text()

    @property
    def address(self) -> str:
        """The service's, from outside."""
        return f"http://127.0.0.1:{self.port}"

    def up(self, *profiles: str, seconds: float = 120.0) -> None:
        """Start what the profiles include, each once what it depends on is as it must be."""
        wanted = [
            name
            for name, service in self.services.items()
            if not service.get("profiles") or set(service["profiles"]) & set(profiles)
        ]
        for name in self._ordered(wanted):
            service = self.services[name]
            for other, condition in service.get("depends_on", {}).items():
                self._await(other, condition["condition"], seconds)
            if name != DATABASE:
                self._start(name)
        for name in wanted:
            if "healthcheck" in self.services[name]:
                self._await(name, "service_healthy", seconds)

    def is_healthy(self, name: str) -> bool:
        """Run a service's own health check."""
        test = self.services[name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        return self._run(name, test[1:]).returncode == 0

    def environment(self, name: str) -> dict[str, str]:
        """A container's environment, translated."""
        service = self.services[name]
        given = {**image_environment(service), **service.get("environment", {})}
        clean = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        home = {"HOME": str(self._volume(service))}  # no other: the image's user has it there
        return {**clean, **home, **{key: self._here(service, str(v)) for key, v in given.items()}}

    def _start(self, name: str) -> None:
        service = self.services[name]
        command = [self._here(service, word) for word in service["command"]]
        stays = service.get("restart") != "no"
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(
                [*SEVENSTEP, *command, *((END_WITH_US,) if stays else ())],
                env=self.environment(name),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._volume(service),
            )

    def _await(self, name: str, condition: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            process = self.started.get(name)
            code = process.poll() if process is not None else None
            if condition == "service_completed_successfully" and code is not None:
                if code == 0:
                    return
                raise ComposeError(f"{name} ended with {code}: {self.log(name)[-2000:]}")
            if code is not None:
                raise ComposeError(f"{name} has ended with {code}: {self.log(name)[-2000:]}")
            if condition == "service_healthy" and self.is_healthy(name):
                return
            time.sleep(0.2)
        raise ComposeError(f"{name} did not get {condition} in {seconds:.0f} s")

    def _run(self, name: str, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        words = [self._here(self.services[name], word) for word in command]
        environment = None
        if name == DATABASE:
            words = [*words, "-h", "127.0.0.1", "-p", str(self.database_port)]
        else:
            environment = self.environment(name)
            programs = {"sevenstep": list(SEVENSTEP), "python": [sys.executable]}
            words = [*programs[words[0]], *words[1:]]
        assert shutil.which(words[0]), f"{words[0]} is not on this machine"
        return subprocess.run(words, env=environment, capture_output=True, timeout=60, check=False)

    def _volume(self, service: Mapping[str, Any]) -> Path:
        (mount,) = service["volumes"]
        volume, _, _ = mount.partition(":")
        assert volume in self.content["volumes"]
        folder = self.folder / "volumes" / volume
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _here(self, service: Mapping[str, Any], text: str) -> str:
        (mount,) = service.get("volumes", ()) or ("none:/nowhere",)
        target = mount.partition(":")[2]
        if service is not self.services[DATABASE]:
            text = text.replace(target, str(self._volume(service)))
        secrets = service.get("secrets", ())
        for found in re.findall(r"/run/secrets/(\w+)", text):
            assert found in secrets, f"{found} is read, and not among the service's secrets"
            text = text.replace(f"/run/secrets/{found}", str(self.secret(found)))
        return (
            text.replace(f"@{DATABASE}/", f"@127.0.0.1:{self.database_port}/")
            .replace("http://service:8080", self.address)
            .replace("http://127.0.0.1:8080", self.address)
            .replace("0.0.0.0", "127.0.0.1")
            .replace("8080", str(self.port))
        )

    def _ordered(self, wanted: list[str]) -> Iterator[str]:
        """The services in an order in which each comes after what it depends on."""
        done: list[str] = []
        while len(done) < len(wanted):
            ready = [
                name
                for name in wanted
                if name not in done and set(self.services[name].get("depends_on", ())) <= set(done)
            ]
            assert ready, f"services wait for each other: {set(wanted) - set(done)}"
            done += ready
            yield from ready


def open_ports(process: subprocess.Popen[bytes]) -> set[int]:
    """The ports that a process and its children listen on."""
    found = psutil.Process(process.pid)
    return {
        connection.laddr.port
        for each in (found, *found.children(recursive=True))
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
