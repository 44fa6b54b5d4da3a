"""The service as a process of its own, as people start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service import server_file
from service.commands.client import Client
from service.server_file import ServerFile

SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")


def sevenstep(
    *arguments: str, environment: dict[str, str] | None = None, timeout_seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*SEVENSTEP, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
        env={**os.environ, **(environment or {})},
    )


@contextmanager
def serving(data_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], ServerFile]]:
    """A service that answers, ended afterwards if the test did not end it."""
    command = [*SEVENSTEP, "serve", "--no-worker", "--port", "0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, wait_until_ready(process, data_dir)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def wait_until_ready(process: subprocess.Popen[str], data_dir: Path) -> ServerFile:
    """What the service left once it answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        file = server_file.read(data_dir)
        if file is not None and file.pid == process.pid:
            with Client(file.address, file.token) as client:
                if client.is_sevenstep():
                    return file
        time.sleep(0.02)
    raise AssertionError("the service did not answer within 30 s")
