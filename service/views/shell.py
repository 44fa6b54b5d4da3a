"""The commands that do from a shell what a page does: for scripts, and for a colleague."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

TOKEN = '-H "Authorization: Bearer $TOKEN"'
"""In double quotes, so that the shell puts the token in: no page shows one."""
BREAK = " \\\n  "


def curl(address: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> str:
    """A request as a command for a POSIX shell, one option a line where it is long.

    Args:
        address: Where it is sent, with scheme and host.
        method: GET is curl's own choice, so it is not written.
        body: Sent as JSON.
    """
    words = ["curl"] if method == "GET" else [f"curl -X {method}"]
    words[0] += f" {TOKEN}"
    if body is not None:
        words.append('-H "Content-Type: application/json"')
        words.append(f"-d {shlex.quote(json.dumps(dict(body), ensure_ascii=False))}")
    words.append(shlex.quote(address))
    return (BREAK if body is not None else " ").join(words)
