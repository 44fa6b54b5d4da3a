"""The table of a new study's fields says what the service does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from recipes.study import StudyConfig

REST = Path(__file__).parents[2] / "docs" / "reference" / "rest.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>[^|]*?) ?\|", re.MULTILINE)


def documented() -> dict[str, str]:
    """Each field's default as the table has it, without backticks; empty: it must be given."""
    table = REST.read_text().split("Fields of a new study:\n\n")[1].split("\n\n")[0]
    return {row["name"]: row["default"].strip("`") for row in ROW.finditer(table)}


def test_every_field_is_there() -> None:
    assert list(documented()) == list(StudyConfig.model_fields)


@pytest.mark.parametrize("name", StudyConfig.model_fields)
def test_a_default_is_what_the_service_takes(name: str) -> None:
    said = documented()[name]
    if StudyConfig.model_fields[name].is_required():
        assert said == ""
        return
    unsaid = StudyConfig(name="n", task="digits")
    given = StudyConfig.model_validate({"name": "n", "task": "digits", name: json.loads(said)})
    assert given == unsaid
