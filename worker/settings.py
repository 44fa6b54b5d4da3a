"""What a worker is told by environment, command line or the service's own file."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from recipes.logs import LogFormat, LogLevel
from recipes.secret_file import SettingsWithSecrets

DEFAULT_SERVER = "http://127.0.0.1:8080"


MAKE_TOKEN = "sevenstep token create --name NAME --scope worker"
"""Makes what a worker shows the service; NAME is for people."""


class SettingsError(ValueError):
    """A setting is missing or does not fit; the message names it and the cure."""


class AgentSettings(SettingsWithSecrets):
    """An agent's settings: keyword, else ``SEVENSTEP_...`` in the environment, else default.

    Raises:
        SecretFileError: The file that ``SEVENSTEP_TOKEN_FILE`` names cannot be used.
    """

    model_config = SettingsConfigDict(
        env_prefix="SEVENSTEP_", extra="ignore", frozen=True, env_ignore_empty=True
    )
    secrets: ClassVar[tuple[str, ...]] = ("token",)

    server: str | None = None
    """The service's address. Left out: the one of the service running on this machine."""
    token: SecretStr | None = None
    """A worker's token. Left out: the one of the service running on this machine."""
    data_dir: Path = Field(default_factory=lambda: default_data_dir())
    """Where that service keeps its database, and ``server.json`` beside it."""
    worker_home: Path | None = None
    """Where the agent keeps its temporary files. Left out: ``worker`` in ``data_dir``."""
    worker_name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=100)
    """The name people see. Two agents may have the same."""
    slots: Annotated[
        int | None,
        Field(ge=1, le=1024),
        BeforeValidator(lambda value: None if value == "auto" else value),
    ] = None
    """Attempts at a time. ``auto`` or left out: one for each CUDA device, else each core."""
    claim_seconds: float = Field(default=20.0, ge=0, le=60)
    """How long one request for work waits."""
    checkpoint_seconds: float = Field(default=30.0, ge=0)
    """Least time between a run's checkpoints; 0 makes one at every epoch's end."""
    batch_seconds: float = Field(default=0.5, ge=0)
    """Longest time a curve point waits for others to travel with."""
    grace_seconds: float = Field(default=3.0, ge=0)
    """How long a slot process that was told to stop may take before it is killed."""
    stall_seconds: float = Field(default=3600.0, gt=0)
    """How long a run may say nothing (not a curve point, not an end) before it counts as
    hanging and is ended; loading the data counts as silence too."""
    connect_seconds: float = Field(default=3.0, ge=0)
    """How long the first contact is tried before the agent gives up."""
    log_format: LogFormat = LogFormat.PLAIN
    """``plain``: lines for people; ``json``: an object a line."""
    log_level: LogLevel = LogLevel.INFO
    """The least that is logged: ``debug``, ``info``, ``warning`` or ``error``."""

    @property
    def home(self) -> Path:
        """Where the agent keeps its temporary files."""
        return self.worker_home or self.data_dir / "worker"

    def address(self) -> tuple[str, str]:
        """The service's address and token.

        What is missing comes from the ``server.json`` of the service on this machine; its
        token only when the address is its own too.

        Raises:
            SettingsError: There is no token to be found.
        """
        local_server, local_token = read_server_file(self.data_dir / "server.json")
        server = (self.server or local_server or DEFAULT_SERVER).rstrip("/")
        if self.token is not None:
            return server, self.token.get_secret_value()
        if local_token is not None and server == local_server:
            return server, local_token
        raise SettingsError(
            f"token: none given for {server}; make one where the service runs with"
            f" `{MAKE_TOKEN}`, and set SEVENSTEP_TOKEN or SEVENSTEP_TOKEN_FILE, or pass --token"
        )


def read_server_file(path: Path) -> tuple[str | None, str | None]:
    """Address and token of the service running beside ``path``; None where none runs.

    The file of a service that has ended counts for nothing: its token must not be sent
    to whoever listens at that address now.
    """
    try:
        content = json.loads(path.read_text())
        if content["pid"] is None or not _is_alive(int(content["pid"])):
            return None, None
        return str(content["address"]).rstrip("/"), str(content["token"])
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path}: cannot be read ({error}); pass --server and set SEVENSTEP_TOKEN"
        ) from error


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, and alive
        return True
    return True


def default_data_dir() -> Path:
    """Where the service of this machine keeps its data, as the service decides it.

    ``$SEVENSTEP_DATA_DIR`` comes before it, by way of the settings.
    """
    base = os.environ.get("XDG_DATA_HOME")
    try:
        root = Path(base) if base else Path("~/.local/share").expanduser()
    except RuntimeError as error:
        raise SettingsError(
            "data_dir: there is no home folder; set SEVENSTEP_DATA_DIR to a folder of yours"
        ) from error
    return root / "sevenstep"
