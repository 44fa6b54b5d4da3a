"""Named places where a test can kill the process, to prove that nothing is lost there.

``SEVENSTEP_FAILPOINT=name@/path/to/marker`` kills the process with SIGKILL the first
time it passes the place of that name; the marker file, made at that moment, keeps the
restarted process alive. ``name@path@3`` waits for the third pass. Unset, as always
outside the tests, a failpoint is one dictionary look-up.
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
    place, _, rest = armed.partition("@")
    if place != name:
        return
    marker, _, nth = rest.partition("@")
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] < int(nth or 1):
        return
    with contextlib.suppress(FileExistsError):
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.kill(os.getpid(), signal.SIGKILL)
