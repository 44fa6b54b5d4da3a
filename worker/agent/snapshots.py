"""Snapshots of earlier trials on this machine: fetched once, kept while there is room."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

CACHE_BYTES = 2 * 1024**3
"""Most bytes kept: some thousand snapshots of nets a CPU trains, a few of the largest."""


class SnapshotCache:
    """A slot's folder of snapshots by artifact id; the content of an id never changes.

    Args:
        directory: Its folder; made when it is first needed.
        most_bytes: Where those not used for longest go. What is needed now always stays.
    """

    def __init__(self, directory: Path, *, most_bytes: int = CACHE_BYTES) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._used: dict[Path, None] = {}  # in the order of their last use

    def path(self, artifact: str) -> Path:
        """Where an artifact lies, or would."""
        return self._directory / hashlib.sha256(artifact.encode()).hexdigest()

    def get(self, artifact: str, fetch: Callable[[], bytes]) -> Path:
        """The file of an artifact, fetched when it is not here. Errors of ``fetch`` pass."""
        path = self.path(artifact)
        if not path.is_file():
            content = fetch()
            self._directory.mkdir(mode=0o700, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(content)
            os.replace(part, path)
        self._used.pop(path, None)
        self._used[path] = None
        return path

    def trim(self) -> None:
        """Remove the files not used for longest, while they are too many. Between attempts."""
        sizes = {path: path.stat().st_size for path in self._used}
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total <= self._most_bytes:
                return
            path.unlink()
            del self._used[path]
            total -= size
