"""``server.json``: how commands and workers of this machine find the service."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ValidationError

NAME = "server.json"


class ServerFile(BaseModel):
    """What a service leaves beside its database, readable by its owner alone (mode 0600).

    ``pid`` is None once the service has ended: the token is kept for the next start, but
    must not be sent to whoever listens at that address now.
    """

    address: str
    token: str
    pid: int | None
    version: str

    @property
    def is_alive(self) -> bool:
        """Whether the service's process is still there."""
        if self.pid is None:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return not _is_zombie(self.pid)


def read(data_dir: Path) -> ServerFile | None:
    """What the last service left; None when there is nothing that can be read."""
    try:
        return ServerFile.model_validate_json((data_dir / NAME).read_text())
    except (OSError, ValidationError):
        return None


def write(data_dir: Path, content: ServerFile) -> None:
    """Leave the file, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=data_dir, prefix=f".{NAME}-")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, data_dir / NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
