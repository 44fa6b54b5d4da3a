"""``explain``: the page on a finding code, in the terminal."""

from __future__ import annotations

import difflib
import re
from typing import Annotated

import typer

from service.commands.console import fail

PICTURE = re.compile(r"^!\[(?P<text>[^\]]*)\]\([^)]*\)\n\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\([^)]*\)")


def explain(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="A finding's code, as in overfitting."),
    ] = None,
) -> None:
    """What a finding code means, how it is decided and what to do; without CODE all codes.

    Needs no service and no network.
    """
    from rich.markdown import Markdown

    from service.commands.step_words import console_for
    from service.errors import NotFound
    from service.views import finding_docs

    if code is None:
        for each in finding_docs.codes():
            typer.echo(f"{each}: {finding_docs.meaning(each)}")
        return
    name = code.strip().lower().replace("-", "_").replace(" ", "_")
    try:
        text = spoken(finding_docs.page(name))
    except NotFound:
        near = difflib.get_close_matches(name, finding_docs.codes(), n=3)
        cure = f"did you mean {' or '.join(near)}?" if near else "sevenstep explain lists them all"
        fail(f"CODE: {code!r} is no finding code; {cure}", code=2)
    console = console_for(to_stderr=False)
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        typer.echo(text)


def spoken(page: str) -> str:
    """A page without what a terminal cannot show: its picture, and where links lead."""
    return LINK.sub(r"\g<text>", PICTURE.sub("", page)).rstrip("\n")
