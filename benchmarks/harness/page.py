"""``docs/benchmarks.md``: each benchmark writes the section of its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.harness.cells import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def write_section(name: str, text: str) -> None:
    """Put a benchmark's tables between its marks in the page.

    Args:
        name: The section's, as in its marks ``<!-- name -->`` and ``<!-- /name -->``.
        text: Markdown.

    Raises:
        ValueError: The page has no such section.
    """
    page = PAGE.read_text()
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"{PAGE.name} has no section {name!r}; add its two marks")
    PAGE.write_text(marks.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", page))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first column is text, the others numbers.

    Args:
        heads: Of the columns.
        rows: As many cells each.
    """
    aligned = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, aligned, *rows])
