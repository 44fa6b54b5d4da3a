"""``sevenstep explain``, the pages on codes, and the ways from a finding to its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recipes.cli import build
from service.errors import NotFound
from service.pages.markdown import html
from service.views import finding_docs
from tests.service_tests.served import served


def explain(*words: str) -> Result:
    return CliRunner().invoke(build(), ["explain", *words])


def test_a_page_in_the_terminal() -> None:
    result = explain("overfitting")
    assert result.exit_code == 0, result.output
    for part in ("# overfitting", "What to do first", "eight epochs", "In its own words"):
        assert part in result.output, part
    assert "](" not in result.output
    assert ".svg" not in result.output


def test_a_code_may_be_written_as_people_say_it() -> None:
    assert explain("Dead ReLU").output == explain("dead_relu").output


def test_all_codes_with_a_sentence_each() -> None:
    lines = explain().output.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(finding_docs.codes())


@pytest.mark.parametrize("code", ["overfiting", "nothing-like-it", "../reference/rest", "", "%00"])
def test_no_such_code(code: str) -> None:
    result = explain(code)
    assert result.exit_code == 2
    assert f"CODE: {code!r} is no finding code" in result.stderr
    if code == "overfiting":
        assert "did you mean overfitting" in result.stderr


@pytest.mark.parametrize("code", ["../../pyproject", "pictures/overfitting", "", "OVERFITTING"])
def test_no_file_but_pages_and_pictures_is_read(code: str) -> None:
    with pytest.raises(NotFound):
        finding_docs.page(code)
    with pytest.raises(NotFound):
        finding_docs.picture(code)


def test_the_service_shows_pages_and_pictures(tmp_path: Path, sqlite_template: Path) -> None:
    with served(tmp_path / "data", sqlite_template, run_conductor=False) as site:
        index = site.get("/findings")
        page = site.get("/findings/overfitting")
        picture = site.get("/findings/overfitting/picture.svg")
        missing = [site.get(f"/findings/{each}").status_code for each in ("none_such", "UPPER")]
    assert index.status_code == page.status_code == picture.status_code == 200
    assert all(f"/findings/{code}" in index.text for code in finding_docs.codes())
    assert '<img src="/findings/overfitting/picture.svg" alt="' in page.text
    assert '<a href="/findings/overtraining">' in page.text
    assert picture.headers["content-type"] == "image/svg+xml"
    assert missing == [404, 422]


def test_markup_in_a_page_is_shown_and_not_let_through() -> None:
    text = html("a <script>x</script> [b](other.md) [c](no.txt)", address=lambda _: None)
    assert "<script>" not in text
    assert "<a" not in text
    assert "b c" in text
