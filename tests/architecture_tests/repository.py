"""The repository's files, as its own tests look at them."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("recipes", "service", "worker", "migrations")
REFERENCE = ROOT / "docs" / "reference"
LOG_FILES = ROOT / "benchmarks" / "log_reading" / "files"
LEFT_OUT = {".git", ".venv", "__pycache__", "node_modules", "dist", "build"}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or could be, committed; all files where this is no git checkout."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return tuple(sorted(ROOT / name for name in names if name and (ROOT / name).is_file()))
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return tuple(sorted(path for path in found if not LEFT_OUT & {*path.relative_to(ROOT).parts}))


def documents() -> list[Path]:
    """Every Markdown file to be read by people; the log reader's tally has some as data."""
    return [path for path in files() if path.suffix == ".md" and LOG_FILES not in path.parents]


def modules() -> list[Path]:
    """Every Python module of the product."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES
    ]


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return FENCE.sub("", path.read_text())


def headings(path: Path) -> list[str]:
    """A document's headings, as they are written."""
    return HEADING.findall(prose(path))


def anchor(heading: str) -> str:
    """What a heading is called in a link, as GitHub makes it."""
    text = re.sub(r"[`*]|\[(.+?)\]\(.+?\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def section(path: Path, heading: str) -> str:
    """The text under a heading, up to the next one of its level or above."""
    _, found, rest = path.read_text().partition(f"\n{heading}\n")
    assert found, f"{path.name} has no section {heading!r}"
    level = len(heading) - len(heading.lstrip("#"))
    ends = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: ends.start()] if ends else rest
