"""``--budget``: what people write, and how it is said back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.budget import Budget, Spent
from recipes.errors import InvalidSetting
from service.views.budget_text import (
    budget_text,
    budget_used,
    budget_words,
    parse_budget,
)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("15m", Budget(wall_seconds=900)),
        ("90s", Budget(wall_seconds=90)),
        ("1h30m", Budget(wall_seconds=5400)),
        ("0.5h", Budget(wall_seconds=1800)),
        ("2min", Budget(wall_seconds=120)),
        ("200epochs", Budget(epochs=200)),
        ("1epoch", Budget(epochs=1)),
        ("64trials", Budget(trials=64)),
        ("64 Trials", Budget(trials=64)),
        ("2device-hours", Budget(device_hours=2)),
        ("1devicehour", Budget(device_hours=1)),
        ("15m + 64trials", Budget(wall_seconds=900, trials=64)),
        (
            "15m+200epochs+64trials+0.5device-hours",
            Budget(wall_seconds=900, epochs=200, trials=64, device_hours=0.5),
        ),
    ],
)
def test_what_people_write(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("", "write 90s, 15m"),
        ("15", "write 90s, 15m"),
        ("m", "write 90s, 15m"),
        ("15 minutes or so", "write 90s, 15m"),
        ("-5m", "write 90s, 15m"),
        ("30m1h", "write 90s, 15m"),
        ("1e3s", "write 90s, 15m"),
        ("nan", "write 90s, 15m"),
        ("1.5trials", "write 90s, 15m"),
        ("15m+", "write 90s, 15m"),
        ("15m+10s", "one thing twice"),
        ("5trials+6trials", "one thing twice"),
        ("0m", "more than 0"),
        ("0trials", "more than 0"),
        ("9" * 30 + "trials", "at most 9223372036854775807"),
        pytest.param("9" * 400 + "h", "at most 9223372036854775807", id="for ever"),
    ],
)
def test_anything_else_is_refused_with_field_value_and_cure(text: str, cure: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        parse_budget(text)
    assert str(refused.value).startswith(f"--budget: {text!r} does not fit; ")
    assert cure in refused.value.cure


@given(
    st.builds(
        Budget,
        wall_seconds=st.none() | st.integers(1, 10**6).map(float),
        epochs=st.none() | st.integers(1, 10**6),
        trials=st.none() | st.integers(1, 10**6),
        device_hours=st.none() | st.integers(1, 1000).map(float),
    )
)
def test_a_budget_is_written_as_it_is_read(budget: Budget) -> None:
    if budget.is_limited:
        assert parse_budget(budget_text(budget)) == budget
    else:
        assert budget_text(budget) == ""


def test_a_budget_in_words() -> None:
    assert budget_words(Budget()) == "no limit"
    assert budget_words(Budget(wall_seconds=5400, trials=1)) == "1h30m and 1 trial"
    used = Spent(wall_seconds=200.4, trials=12, device_seconds=1800)
    allowed = Budget(wall_seconds=900, trials=64, device_hours=2)
    assert budget_used(used, allowed) == "3m20s of 15m, 12 of 64 trials, 0.5 of 2 device hours"
    assert budget_used(used, Budget()) == ""
