"""How soon ``sevenstep serve`` answers on an existing database, and what it weighs.

Run: ``.venv/bin/python benchmarks/serve_ready.py``. Linux only: it reads /proc.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

RUNS = 5
DEADLINE_SECONDS = 30.0


def main() -> None:
    """Start it six times, the first to make the database, and print the other five."""
    with tempfile.TemporaryDirectory() as folder:
        _start_once(folder)
        runs = [_start_once(folder) for _ in range(RUNS)]
    seconds = [run["seconds"] for run in runs]
    megabytes = [run["peak_megabytes"] for run in runs]
    print(
        json.dumps(
            {
                "runs": RUNS,
                "seconds_median": round(statistics.median(seconds), 2),
                "seconds_range": [round(min(seconds), 2), round(max(seconds), 2)],
                "peak_megabytes_median": round(statistics.median(megabytes)),
                "torch_in_process": any(run["has_torch"] for run in runs),
            },
            indent=2,
        )
    )


def _start_once(folder: str) -> dict[str, float | bool]:
    port = _free_port()
    command = [sys.executable, "-P", "-m", "recipes.cli", "serve", "--no-worker"]
    command += ["--port", str(port), "--data-dir", folder]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEVENSTEP_")}
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz", begun)
        seconds = time.monotonic() - begun
        proc = Path(f"/proc/{process.pid}")
        status = (proc / "status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return {
            "seconds": seconds,
            "peak_megabytes": int(peak.split()[1]) / 1024,
            "has_torch": "libtorch" in (proc / "maps").read_text(),
        }
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(url: str, begun: float) -> None:
    while time.monotonic() - begun < DEADLINE_SECONDS:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer within {DEADLINE_SECONDS:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
