"""The local engine: this machine's own agent, started and watched by the service.

It is started by command line, never imported, and holds the other end of a pipe: when the
service dies, however it dies, the agent's standard input closes and it ends too.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from io import BufferedWriter
from pathlib import Path

from service.settings import Settings

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 30.0
"""An agent that lived this long is started again without a longer pause."""
STOP_SECONDS = 6.0
KEPT_BACK = frozenset(
    f"SEVENSTEP_{name}{how}".upper()
    for name in (*Settings.secrets, "token")
    for how in ("", "_file")
)
LOG_NAME = "worker.log"
MAX_LOG_BYTES = 8 * 2**20


class LocalEngine:
    """Keeps one agent running until :meth:`stop`.

    Args:
        server: The service's address.
        token: A worker's token; it travels in the environment, never on a command line.
        slots: Attempts at a time; None leaves it to the agent.
        data_dir: Where its log goes, and its temporary files.
        bury: Called with the agent's name before each start: whoever had the name is dead,
            and what it held need not wait for its lease to run out.
    """

    def __init__(
        self,
        *,
        server: str,
        token: str,
        slots: int | None,
        data_dir: Path,
        bury: Callable[[str], object],
    ) -> None:
        self.name = agent_name(data_dir)
        self._bury = bury
        self._command = [
            *(sys.executable, "-P", "-m", "recipes.cli", "worker", "--server", server),
            *("--slots", "auto" if slots is None else str(slots)),
            *("--name", self.name, "--exit-with-stdin"),
        ]
        self._environment = {
            # It needs none of the service's secrets. A token's file would be another's, and the
            # agent does not choose between two.
            **{name: value for name, value in os.environ.items() if name not in KEPT_BACK},
            "SEVENSTEP_TOKEN": token,
            "SEVENSTEP_DATA_DIR": str(data_dir),
        }
        self._log_path = data_dir / LOG_NAME
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="local-engine", daemon=True)

    def start(self) -> None:
        """Start the agent, and start it again whenever it dies."""
        self._thread.start()

    def stop(self) -> None:
        """End the agent: SIGTERM, and SIGKILL where that does not help."""
        self._stopping.set()
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() and process is not None:
            process.kill()
            self._thread.join(STOP_SECONDS)

    def kill(self) -> None:
        """End the agent at once; what it runs is lost. Safe in signal handlers."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.kill()

    def _watch(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            ended = self._live_once()
            if self._stopping.is_set():
                return
            lived = time.monotonic() - started
            pause = FIRST_PAUSE_SECONDS if lived > HEALTHY_SECONDS else pause
            log.warning(
                "the local worker %s after %.0f s; starting again in %.1f s (log: %s)",
                ended,
                lived,
                pause,
                self._log_path,
            )
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _live_once(self) -> str:
        """Bury whoever had the name, and run an agent; how it ended, in words.

        Nobody else starts one: an error, as of a database that is away, must not end the watch.
        """
        try:
            self._bury(self.name)
            return f"ended with {_ending(self._run_once())}"
        except Exception:
            log.exception("the local worker could not be run")
            return "could not be run"

    def _run_once(self) -> int:
        with self._open_log() as output:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                # Its own session: a Ctrl-C in the terminal reaches the service alone, which
                # then ends the agent in order.
                start_new_session=True,
            )
        self._process = process
        if self._stopping.is_set():  # stop() came before there was a process to signal
            process.terminate()
        try:
            return process.wait()
        finally:
            assert process.stdin is not None
            process.stdin.close()

    def _open_log(self) -> BufferedWriter:
        with contextlib.suppress(FileNotFoundError):
            if self._log_path.stat().st_size > MAX_LOG_BYTES:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))
        descriptor = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "ab")


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def agent_name(data_dir: Path) -> str:
    """The name of this data directory's agent: the same at every start, and nobody else's."""
    place = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:6]
    return f"{socket.gethostname()[:80]}-local-{place}"
