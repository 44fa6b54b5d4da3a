"""Every finding code has its page, every page its code; pictures are there and small."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from recipes.rules.registry import all_rules
from service.pages.finding_pages import address
from service.views import finding_docs
from tests.architecture_tests.repository import REFERENCE, ROOT, headings, section

PAGES = ROOT / "docs" / "findings"
PICTURES = PAGES / "pictures"
CODES = sorted({rule.code for rule in all_rules()})
PARTS = [
    "What you see",
    "What it means",
    "How Sevenstep decides",
    "What else looks like it",
    "What to do first",
    "In its own words",
]
MAX_PICTURE_BYTES = 15_000
LEAST_WORDS = 120
"""Of a page: fewer are no explanation."""
PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\(pictures/(?P<name>[a-z0-9_]+)\.svg\)")
INDEX_LINE = re.compile(
    r"^\| \[(?P<code>\w+)\]\(\.\./findings/(?P<page>\w+)\.md\) \|", re.MULTILINE
)
ANY_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def test_every_code_has_its_page_and_every_page_its_code() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == CODES


def test_the_index_has_a_line_for_every_page() -> None:
    lines = INDEX_LINE.findall((REFERENCE / "findings.md").read_text())
    assert sorted(code for code, _ in lines) == CODES
    assert [pair for pair in lines if pair[0] != pair[1]] == []


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_all_it_should(code: str) -> None:
    path = PAGES / f"{code}.md"
    text = path.read_text()
    assert headings(path) == [code, *PARTS]
    assert re.match(rf"# {code}\n\n\*Steps? \d", text), "which step, and how severe"
    assert "**Source.** " in section(path, "## How Sevenstep decides")
    assert re.search(r"^\| [^-|].* \| .* \|$", section(path, "## What else looks like it"), re.M)
    assert re.search(r"^> \w", section(path, "## In its own words"), re.M)
    assert len(text.split()) >= LEAST_WORDS


@pytest.mark.parametrize("code", CODES)
def test_the_meaning_in_the_index_is_the_pages_own(code: str) -> None:
    assert finding_docs.meaning(code).endswith(".")
    assert f"| {finding_docs.meaning(code)} |" in (REFERENCE / "findings.md").read_text()


@pytest.mark.parametrize("code", CODES)
def test_a_page_shows_its_own_picture_or_says_why_there_is_none(code: str) -> None:
    seen = section(PAGES / f"{code}.md", "## What you see")
    shown = PICTURE.findall(seen)
    assert shown or "no picture" in seen
    assert [name for _, name in shown] == [code] * len(shown)
    assert all(len(text) > 20 for text, _ in shown), "for those who do not see it"
    assert (PICTURES / f"{code}.svg").exists() == bool(shown)
    assert finding_docs.has_picture(code) == bool(shown)


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_is_small_and_stands_alone(path) -> None:
    content = path.read_bytes()
    assert len(content) <= MAX_PICTURE_BYTES
    root = ElementTree.fromstring(content)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"background:var(--surface)" in content
    assert b"prefers-color-scheme:dark" in content
    assert b"href" not in content


@pytest.mark.parametrize("code", CODES)
def test_links_between_pages_lead_somewhere_on_the_service_too(code: str) -> None:
    for target in ANY_LINK.findall(finding_docs.page(code)):
        led = address(target)
        if led is None:
            continue  # to a document that the service does not show: its text stands alone
        known = re.fullmatch(r"/findings/(?P<code>\w+)(?P<picture>/picture\.svg)?", led)
        assert known, target
        assert (
            finding_docs.has_picture(known["code"]) if known["picture"] else known["code"] in CODES
        )
