"""The map of a search and the overlay of its curves: every trial has its place and its look."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime

from recipes.search.overlay import MOST_COLOURED, curve_overlay
from recipes.search.setting_map import setting_map
from recipes.space import Categorical, Float, SearchSpace
from recipes.step import Figure, StepKind
from service.figures import charts
from service.figures.tints import NUM_TINTS, tints_of
from service.pages.happenings import LATELY, told
from service.views.models import EventView
from tests.pages_tests.gallery_reports import NUM_SEARCHED, is_lost, search_maps, searched
from tests.pages_tests.test_search_figures import texts, with_class

NUM_LOST = sum(is_lost(number) for number in range(NUM_SEARCHED))


def drawn(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(charts.draw(figure))


def test_every_trial_has_a_place_on_the_map_and_its_state_a_shape() -> None:
    (figure,) = search_maps()
    root = drawn(figure)
    whole, early, lost = figure.series
    assert len(whole.y) + len(early.y) + len(lost.y) == NUM_SEARCHED
    assert len(lost.y) == NUM_LOST > 0
    points = [e for e in root.iter() if e.find("{*}title") is not None]
    marked = [e for e in points if "c-dot" in e.get("class", "") and e[0].text in whole.labels]
    assert {e.tag.rpartition("}")[2] for e in marked} == {"circle"}
    assert len(marked) == len(whole.y)
    crosses = [e for e in with_class(root, "c-cross") if e[0].text in lost.labels]
    assert len(crosses) == NUM_LOST


def test_the_best_has_the_last_colour_and_the_key_names_both_ends() -> None:
    (figure,) = search_maps()
    best = searched().ranked[0]
    root = drawn(figure)
    (point,) = [
        e
        for e in with_class(root, "c-dot")
        if len(e) and (e[0].text or "").startswith(f"trial {best.number}:")
    ]
    assert f"c-tint{NUM_TINTS - 1}" in point.get("class", "")
    assert len(with_class(root, "c-cell")) == NUM_TINTS
    tints = tints_of(figure)
    assert tints is not None
    assert tints.high == best.value
    assert any(each.startswith("accuracy ") for each in texts(root, "c-legend"))


def test_the_box_of_the_fine_search_lies_within_what_was_searched() -> None:
    (figure,) = search_maps()
    outer, inner = figure.boxes
    assert outer.y[0] <= inner.y[0] < inner.y[1] <= outer.y[1]
    boxes = with_class(drawn(figure), "c-box")
    heights = [float(each.get("height", "0")) for each in boxes]
    assert heights[1] < heights[0]
    assert all(float(each.get("width", "0")) > 0 for each in boxes)


def test_a_fixed_value_is_a_narrow_box() -> None:
    evidence = searched()
    box = SearchSpace({"lr": Float(1e-3, 1e-1, log=True)})
    (figure,) = setting_map(evidence, "s", box=box, fixed={"weight_decay": 1e-4})
    assert figure.boxes[1].x == (1e-4, 1e-4)
    inner = with_class(drawn(figure), "c-box")[1]
    assert 10 < float(inner.get("width", "0")) < 20


def test_a_search_of_one_number_has_no_map() -> None:
    space = SearchSpace({"lr": Float(1e-4, 1.0, log=True), "optimiser": Categorical(("a", "b"))})
    assert setting_map(replace(searched(), space=space), "s") == ()


def test_the_best_curves_are_coloured_and_lie_above_the_others() -> None:
    evidence = searched(StepKind.FINE_SEARCH)
    (figure,) = curve_overlay(evidence)
    roles = [each.role for each in figure.series]
    assert roles[-1] == "train"
    assert figure.series[-1].name == f"trial {evidence.ranked[0].number}"
    assert roles.count("good") == MOST_COLOURED - 1
    assert roles == sorted(roles, key=["muted", "good", "train"].index)
    lines = with_class(drawn(figure), "c-line")
    assert sum(each.tag.endswith("polyline") for each in lines) == len(figure.series)
    assert {len(each.y) for each in figure.series} == {3, 8}  # discarded early, and whole


def test_happenings_are_words_and_news_of_trials_is_told_once() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def event(sequence: int, kind: str, **payload: object) -> EventView:
        return EventView(sequence=sequence, kind=kind, payload=payload, at=at)

    found = [
        event(1, "study", state="running"),
        event(2, "step", number=4, round=1, state="running", **{"pass": 2}),
        event(3, "points"),
        event(4, "trial", numbers=[3]),
        event(5, "trial", numbers=[3]),
        event(6, "trial", numbers=[1, 2, 3, 4]),
    ]
    assert [each.sentence for each in told(found)] == [
        "There is news of 4 trials.",
        "Step 4, coarse search, pass 2, is running.",
        "The study is running.",
    ]
    many = [event(n, "study", state="paused" if n % 2 else "running") for n in range(1, 30)]
    assert len(told(many)) == LATELY
    assert told(many)[0].sentence == "The study is paused."
