"""Which trials train together, and what that is taken to gain."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recipes.description import TaskDescription
from recipes.fusing import TRAINER_STRUCTURAL, Fusing, even_parts, groups
from tests.recipes_tests.builders import description

MEASURED = Fusing(chunk=16, structural=("hidden",), rates={"1": 100.0, "4": 200.0, "16": 240.0})

SETTINGS = st.lists(
    st.fixed_dictionaries(
        {"lr": st.floats(1e-5, 1.0), "hidden": st.sampled_from([32, 64, 128])},
        optional={
            "batch_size": st.sampled_from([16, 32]),
            "optimizer": st.sampled_from(["sgd", "adamw"]),
            "nesterov": st.booleans(),
        },
    ),
    max_size=40,
)


def form(setting: dict[str, object]) -> tuple[object, ...]:
    return tuple(setting.get(name) for name in ("hidden", *TRAINER_STRUCTURAL))


@hypothesis_settings(deadline=None)
@given(settings=SETTINGS)
def test_a_group_is_all_of_one_form(settings: list[dict[str, object]]) -> None:
    found = groups(settings, MEASURED)  # type: ignore[arg-type]
    assert sorted(chain.from_iterable(found)) == list(range(len(settings)))
    for group in found:
        assert group == sorted(group)
        assert len({form(settings[at]) for at in group}) == 1
    assert len(found) == len(Counter(map(form, settings)))


@given(count=st.integers(1, 60), size=st.integers(1, 20))
def test_parts_are_as_few_as_can_be_and_even(count: int, size: int) -> None:
    parts = even_parts(range(count), size)
    assert list(chain.from_iterable(parts)) == list(range(count))
    assert len(parts) == math.ceil(count / size)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_groups_come_in_the_order_of_their_first_members() -> None:
    settings = [{"hidden": each} for each in (64, 32, 64, 32, 64)]
    assert groups(settings, MEASURED) == [[0, 2, 4], [1, 3]]
    assert groups([], MEASURED) == []


def test_a_flag_is_not_a_number() -> None:
    fusing = Fusing(chunk=4, structural=("wide",))
    settings = [{"wide": True}, {"wide": 1}, {"wide": False}, {"wide": 0}]
    assert groups(settings, fusing) == [[0], [1], [2], [3]]


@pytest.mark.parametrize(
    ("count", "slots", "together"),
    [
        *((32, 2, 16), (8, 2, 4), (32, 1, 16), (40, 2, 10), (9, 2, 5), (8, 8, 4), (4, 2, 4)),
        *((5, 8, 1), (3, 1, 1), (2, 1, 1), (1, 1, 1), (0, 2, 1)),  # not worth it
    ],
)
def test_trials_are_spread_evenly_over_the_slots(count: int, slots: int, together: int) -> None:
    assert MEASURED.together(count, slots) == together


@pytest.mark.parametrize(("count", "slots", "together"), [(21, 2, 7), (12, 4, 4), (16, 2, 8)])
def test_blocks_are_filled_rather_than_slots(count: int, slots: int, together: int) -> None:
    """Five rows take as long as eight: three jobs of seven instead of four of five or six."""
    fusing = MEASURED.model_copy(update={"chunk": 8})
    assert fusing.together(count, slots) == together


@hypothesis_settings(deadline=None)
@given(chunk=st.integers(1, 64), count=st.integers(1, 500), slots=st.integers(1, 16))
def test_spreading_keeps_to_the_chunk_and_takes_no_more_waves(
    chunk: int, count: int, slots: int
) -> None:
    together = Fusing(chunk=chunk).together(count, slots)
    assert 1 <= together <= chunk
    jobs = math.ceil(count / together)
    fewest = math.ceil(math.ceil(count / chunk) / slots)
    assert chunk == 1 or count == 1 or math.ceil(jobs / slots) == fewest


def test_the_gain_lies_between_what_was_measured() -> None:
    assert MEASURED.speed_up(1) == 1.0
    assert MEASURED.speed_up(4) == pytest.approx(2.0)
    assert MEASURED.speed_up(8) == pytest.approx(math.sqrt(2.0 * 2.4))
    assert MEASURED.speed_up(16) == MEASURED.speed_up(100) == pytest.approx(2.4)


def test_a_block_that_is_not_full_takes_the_time_of_a_full_one() -> None:
    assert MEASURED.speed_up(3) == pytest.approx(1.5)
    assert MEASURED.speed_up(2) == pytest.approx(1.0)
    assert MEASURED.speed_up(15) == pytest.approx(2.4 * 15 / 16)
    assert [count for count in range(1, 9) if MEASURED.is_worth(count)] == [4, 6, 7, 8]


@pytest.mark.parametrize("rates", [{}, {"4": 200.0}, {"1": math.nan, "4": 1.0}, {"1": 0.0}])
def test_without_a_rate_to_compare_with_nothing_is_gained(rates: dict[str, float]) -> None:
    assert Fusing(chunk=4, rates=rates).speed_up(4) == 1.0


def test_it_is_said_in_a_sentence() -> None:
    assert MEASURED.sentence == (
        "Trials train up to 16 at a time where they agree in hidden: 2.4 times as fast as one by "
        "one."
    )
    assert Fusing(chunk=4).sentence == "Trials train up to 4 at a time."
    alone = Fusing(chunk=1, reason="LSTM has no batching rule")
    assert alone.sentence == "Trials train one by one: LSTM has no batching rule."
    assert "not measured" in description().fusing.sentence
    little = Fusing(chunk=8, rates={"1": 100.0, "4": 100.0, "8": 130.0})
    assert little.sentence == (
        "Trials train up to 8 at a time where 16 or more are due: 1.3 times as fast as one by one."
    )
    assert little.model_copy(update={"structural": ("hidden",)}).sentence == (
        "Trials train up to 8 at a time where they agree in hidden and where 16 or more are due: "
        "1.3 times as fast as one by one."
    )
    less = Fusing(chunk=16, rates={"1": 100.0, "4": 90.0, "16": 102.0})
    assert less.sentence == (
        "Trials train one by one: 16 together are 1 times as fast, and 1.05 is worth it."
    )


def test_a_small_gain_is_worth_it_where_the_trials_are_many() -> None:
    little = Fusing(chunk=8, rates={"1": 100.0, "4": 110.0, "8": 130.0})
    assert [count for count in range(20) if little.is_worth(count)] == [16, 17, 18, 19]


def test_a_description_of_an_older_release_has_none() -> None:
    stored = json.loads(description().model_dump_json())
    del stored["fusing"]
    assert TaskDescription.model_validate(stored).fusing == Fusing(chunk=1, reason="not measured")


@pytest.mark.parametrize("name", ["0", "four", "", "1.5", "-1"])
def test_a_rate_is_of_a_number_of_members(name: str) -> None:
    with pytest.raises(ValidationError):
        Fusing(chunk=1, rates={name: 1.0})


def test_a_chunk_holds_somebody() -> None:
    with pytest.raises(ValidationError):
        Fusing(chunk=0)
