"""Markdown of ours as HTML. Markup inside the text is shown, never let through."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

Address = Callable[[str], str | None]
"""From a link's target, as it is written, to its address; None: only its text is kept."""

KEEPS_ITS_PLACE = {
    "tabindex": "0",
    "role": "region",
    "aria-label": "Table",
}
"""Of what scrolls: whoever has only a keyboard must get into it."""


def html(text: str, *, address: Address, below: int = 0) -> Markup:
    """A Markdown text (CommonMark, with tables) as HTML.

    Args:
        text: The text.
        address: Where its links and pictures lead.
        below: How far its headings go down: 1 makes the first an ``<h2>``.
    """
    tokens = _parser().parse(text)
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(6, int(token.tag[1:]) + below)}"
        if token.children:
            token.children = _linked(token.children, address)
    rendered = _parser().renderer.render(tokens, _parser().options, {})
    attributes = " ".join(f'{name}="{value}"' for name, value in KEEPS_ITS_PLACE.items())
    rendered = rendered.replace("<table>", f'<div class="scroll" {attributes}><table>')
    return Markup(rendered.replace("</table>", "</table></div>"))


def _linked(tokens: list[Token], address: Address) -> list[Token]:
    """The tokens of a line, with links where they lead somewhere."""
    kept: list[Token] = []
    is_dropped = False
    for token in tokens:
        if token.type == "link_open":
            target = address(str(token.attrs["href"]))
            is_dropped = target is None
            if target is not None:
                token.attrs["href"] = target
        if token.type in ("link_open", "link_close") and is_dropped:
            continue
        if token.type == "image":
            source = address(str(token.attrs["src"]))
            if source is None:
                continue
            token.attrs["src"] = source
        kept.append(token)
    return kept


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")
