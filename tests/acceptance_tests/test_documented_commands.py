"""What the documents tell a reader to type works, and says what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture_tests.repository import ROOT, documents
from tests.documented import BLOCK, Reader, commands_of, pattern_of

RUN = re.compile(r"^```console (?:run|wait|serve)$", re.MULTILINE)
FOLLOWED = [path for path in documents() if RUN.search(path.read_text())]


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("document", FOLLOWED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_can_be_followed(document: Path, tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        assert reader.follow(document)


def test_what_new_users_read_is_followed() -> None:
    names = {str(path.relative_to(ROOT)) for path in FOLLOWED}
    assert {"README.md", "docs/tutorial.md", "docs/howto/script-with-python.md"} <= names


def test_a_document_that_is_wrong_is_found(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.md", tmp_path / "wrong.md"
    right.write_text(
        "```python file=hello.py\nprint('study abcdefgh12345678: 3 of 5, rest\\nbye')\n```\n\n"
        "```console run\n$ export NAME=hello\n$ python \\\n    $NAME.py\n"
        "study zyxwvuts87654321: 10 of 20, …\n```\n\n```console more\nbye\n```\n\n"
        "```console run\n$ echo zyxwvuts87654321\nzyxwvuts87654321\n```\n"
    )
    wrong.write_text("```console run\n$ echo two words\ntwo swords\n```\n")
    with Reader(tmp_path) as reader:
        assert len(reader.follow(right)) == 3
        assert reader.ids == {"zyxwvuts87654321": "abcdefgh12345678"}
        with pytest.raises(AssertionError, match="does not say 'two swords'"):
            reader.follow(wrong)


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("```console run\n$ false\n```\n")
    with Reader(tmp_path) as reader, pytest.raises(AssertionError, match="code 1"):
        reader.follow(document)


def test_blocks_are_read_as_they_are_meant() -> None:
    found = BLOCK.search("```console run\n$ a\nsaid\n[…]\nmore\n$ b\n```\n")
    assert found is not None
    first, second = commands_of(found["text"])
    assert (first.line, first.shown, second.shown) == ("a", ("said", "more"), ())
    assert re.fullmatch(pattern_of("0.97 ± 0.01 (1,000)"), "1e-3 ± 2 (300)")
    assert re.fullmatch(pattern_of("It took 10 s."), "It took 1 min 2 s.")
    assert re.fullmatch(pattern_of("It took 2 min."), "It took 9.5 s.")
    assert not re.fullmatch(pattern_of("0.97 better"), "0.97 worse")
