"""Measurements kept on disk, one file a cell: a benchmark that was cut off goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "benchmarks"

Measured = dict[str, Any]


@dataclass(frozen=True)
class Cells:
    """A benchmark's cells, each measured once.

    Attributes:
        folder: Holds a JSON file a cell.
        code: Digest of what the numbers follow from; a cell of other code is measured again.
    """

    folder: Path
    code: str

    @classmethod
    def of(
        cls, benchmark: str, sources: Iterable[str] = ("service", "worker", "recipes")
    ) -> Cells:
        """A benchmark's cells, for the code as it is.

        Args:
            benchmark: Its folder's name.
            sources: Files and folders of the repository that the numbers follow from.
        """
        return cls(FOLDER / benchmark, digest([f"benchmarks/{benchmark}", *sources]))

    def measured(self, name: str, measure: Callable[[], Measured]) -> Measured:
        """A cell's numbers: as kept, else measured now and kept.

        Args:
            name: Of the cell; a file's name.
            measure: Its result goes through JSON.
        """
        kept = self.read(name)
        if kept is not None:
            return kept
        numbers = measure()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.json"
        half = path.with_suffix(".half")
        half.write_text(json.dumps({"code": self.code, "numbers": numbers}))
        os.replace(half, path)
        return numbers

    def read(self, name: str) -> Measured | None:
        """A cell's kept numbers; None where none are, or they are other code's."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        numbers: Measured | None = kept["numbers"] if kept["code"] == self.code else None
        return numbers


def digest(sources: Iterable[str]) -> str:
    """Of the Python code under these files and folders of the repository."""
    found = hashlib.sha256()
    for source in sources:
        path = ROOT / source
        for each in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(str(each.relative_to(ROOT)).encode())
            found.update(each.read_bytes())
    return found.hexdigest()[:16]
