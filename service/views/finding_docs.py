"""The page on each finding code, as it stands in ``docs/findings``: Markdown and pictures.

An installed product carries the pages inside this package, a checkout has them where
they are written, so both can show them without a network.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from service.errors import NotFound

INSTALLED = Path(__file__).parents[1] / "findings"
"""Where the wheel puts the pages (``force-include`` in ``pyproject.toml``)."""

WRITTEN = Path(__file__).parents[2] / "docs" / "findings"
"""Where they are written; what an editable installation reads."""

PICTURES = "pictures"
CODE = re.compile(r"[a-z][a-z0-9_]*")
LEAD = re.compile(r"^## What it means\n+(?P<paragraph>.+?)\n\n", re.MULTILINE | re.DOTALL)


@cache
def codes() -> tuple[str, ...]:
    """Every code that has a page, in order of the alphabet."""
    return tuple(sorted(path.stem for path in _folder().glob("*.md")))


@cache
def page(code: str) -> str:
    """A code's page, in Markdown.

    Raises:
        NotFound: No page has this code.
    """
    if code not in codes():
        raise NotFound("finding code", code)
    return (_folder() / f"{code}.md").read_text(encoding="utf-8")


@cache
def picture(code: str) -> bytes:
    """The picture of a code's typical case, as SVG.

    Raises:
        NotFound: The code has no picture, as those have none that are said of the data alone.
    """
    if not CODE.fullmatch(code):
        raise NotFound("picture of a finding", code)
    path = _folder() / PICTURES / f"{code}.svg"
    if not path.exists():
        raise NotFound("picture of a finding", code)
    return path.read_bytes()


def has_picture(code: str) -> bool:
    """Whether a code's page shows one."""
    return (_folder() / PICTURES / f"{code}.svg").exists()


def meaning(code: str) -> str:
    """What a code means in a sentence: the first one under that heading of its page.

    Raises:
        NotFound: No page has this code.
    """
    found = LEAD.search(page(code))
    assert found is not None, f"{code}: its page does not say what it means"
    paragraph = " ".join(found["paragraph"].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph, maxsplit=1)[0]


def _folder() -> Path:
    return INSTALLED if INSTALLED.is_dir() else WRITTEN
