"""``--set`` and ``--incumbent`` as people write them."""

from __future__ import annotations

import pytest

from recipes.errors import InvalidSetting
from recipes.setting_text import parse_incumbent, parse_settings
from recipes.space import Float
from tests.recipes_tests.builders import description


def test_values_and_ranges_are_told_apart() -> None:
    fixed, ranges = parse_settings(["hidden=64", "lr=1e-3..0.1"], description())
    assert fixed == {"hidden": 64}
    assert ranges == {"lr": Float(1e-3, 0.1, log=True)}
    assert parse_settings([], description()) == ({}, {})


def test_a_name_is_set_once() -> None:
    with pytest.raises(InvalidSetting, match="does not fit; lr is set twice"):
        parse_settings(["lr=1", "lr=0.1..1"], description())


def test_an_incumbent_is_a_value_for_each_name() -> None:
    found = parse_incumbent("lr=0.1, weight_decay=5e-4,batch_size=64", description())
    assert found == {"lr": 0.1, "weight_decay": 5e-4, "batch_size": 64}


@pytest.mark.parametrize(
    ("text", "value", "cure"),
    [
        ("", "", "write name=value,name=value"),
        ("lr", "lr", "write name=value,name=value"),
        ("lr=0.1,", "", "write name=value,name=value"),
        ("lr=0.1..1", "lr=0.1..1", "one value for each name"),
        ("lr=0.1,lr=1", "lr=1", "lr is set twice"),
    ],
)
def test_another_incumbent_is_refused(text: str, value: str, cure: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        parse_incumbent(text, description())
    assert str(refused.value).startswith(f"--incumbent: {value!r} does not fit; ")
    assert cure in refused.value.cure
