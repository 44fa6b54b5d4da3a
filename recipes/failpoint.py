"""Named places where a test can kill the process, to prove that nothing is lost there.

``SEVENSTEP_FAILPOINT=name@/path/to/marker`` kills the process with SIGKILL the first
time it passes the place of that name; the marker file, made at that moment, keeps the
restarted process alive. ``name@path@3`` waits for the third pass. Several, separated by
commas, are each hit once. Unset, as always outside the tests, a failpoint is one
dictionary look-up.
"""

from __future__ import annotations

import contextlib
import os
import signal

VARIABLE = "SEVENSTEP_FAILPOINT"
_passes: dict[str, int] = {}


def failpoint(name: str) -> None:
    """Die here when the environment says so, once."""
    armed = os.environ.get(VARIABLE)
    if armed is None:
        return
    for each in armed.split(","):
        place, _, rest = each.partition("@")
        if place == name:
            marker, _, nth = rest.partition("@")
            _die_once(f"{name}@{marker}", marker, int(nth or 1))


def _die_once(key: str, marker: str, nth: int) -> None:
    """Die at the n-th pass, unless the marker says that it was done."""
    _passes[key] = _passes.get(key, 0) + 1
    if _passes[key] < nth:
        return
    with contextlib.suppress(FileExistsError):
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.kill(os.getpid(), signal.SIGKILL)
