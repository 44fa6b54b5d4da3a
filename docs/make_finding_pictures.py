"""The pictures of the findings' pages, of runs that really trained: ``make finding-pictures``.

Each is of a cell of the fault bench (``docs/finding_cases.py`` says which) or of a small
search, and is drawn only when the rule says the code of it; what it said goes into the page.
What the bench has kept is read, the rest is trained (minutes).

Options: ``--folder`` is where trainings are kept; ``CODE...`` makes these alone.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import textwrap
from pathlib import Path

from finding_cases import CASES
from finding_figures import thinned
from finding_runs import Case

from benchmarks.faults.runner import DEFAULT_FOLDER
from benchmarks.faults.store import Store
from service.figures.charts import draw

log = logging.getLogger("finding pictures")

PAGES = Path(__file__).resolve().parent / "findings"
PICTURES = PAGES / "pictures"
HOVERED = re.compile(r"<title>[^<]*</title>")
"""What a marker says under a pointer: nobody points into a picture. The picture's own title has
an id, and stays."""

SAID = re.compile(r"(?<=^Of the run in the picture:\n\n)(?:^> ?.*\n)+", re.MULTILINE)
"""Where a page quotes what the product said."""

WIDTH = 98
"""Characters in a line of a page."""

MAX_BYTES = 15_000
"""Of a picture: a page of them is read over slow lines too."""


def main() -> None:
    """Make them; exit code 1 when a rule does not say its code of its case any more."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("codes", nargs="*", metavar="CODE", default=sorted(CASES))
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER / "trainings")
    options = parser.parse_args()
    store = Store(options.folder)
    PICTURES.mkdir(parents=True, exist_ok=True)
    failed = [code for code in options.codes if not made(code, CASES[code], store)]
    if failed:
        sys.exit(f"not said of their cases: {', '.join(failed)}; choose others in CASES")


def made(code: str, case: Case, store: Store) -> bool:
    """Draw a code's picture from its case; False when the code is not said of it."""
    shown = case.show(code, store)
    if shown is None:
        log.info("%s: NOT SAID of %s", code, case)
        return False
    figure, sentence = shown
    content = HOVERED.sub("", draw(thinned(figure), identifier=code, standalone=True))
    if len(content) > MAX_BYTES:
        sys.exit(f"{code}: {len(content):,} bytes, and {MAX_BYTES:,} are the most; thin it more")
    (PICTURES / f"{code}.svg").write_text(content + "\n")
    _quote(code, sentence)
    log.info("%s: %s\n    %s", code, case, sentence)
    return True


def _quote(code: str, sentence: str) -> None:
    """Put what the product says of the picture's run into the code's page.

    Raises:
        ValueError: The page has no place for it.
    """
    path = PAGES / f"{code}.md"
    lines = textwrap.wrap(sentence, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    quoted = "".join(f"> {line}\n" for line in lines)
    text, num = SAID.subn(lambda _: quoted, path.read_text())
    if num != 1:
        raise ValueError(f"{path.name}: no quotation follows 'Of the run in the picture:'")
    path.write_text(text)


if __name__ == "__main__":
    main()
