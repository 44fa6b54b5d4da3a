from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.step import Figure, Series
from service.figures import charts
from service.figures.plot import lay_out
from service.figures.scales import fit
from service.views.format import duration, mark, number, plural

SVG = "{http://www.w3.org/2000/svg}"


def figure(*series: Series, **fields: object) -> Figure:
    return Figure.model_validate(
        {
            "name": "loss",
            "title": "Loss <now>",
            "summary": "It falls & falls.",
            "x_label": "iteration",
            "y_label": "loss",
            "series": series,
            **fields,
        }
    )


def parse(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


def with_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def test_a_figure_names_itself_for_those_who_cannot_see_it() -> None:
    root = parse(charts.draw(figure(Series(name="train", y=(1.0, 0.5)))))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Loss <now>"
    assert root.findtext(f"{SVG}desc") == "It falls & falls."


def test_a_gap_parts_a_line_and_its_place_is_marked() -> None:
    y = (3.0, 2.0, math.nan, 1.0, 0.5)
    root = parse(charts.draw(figure(Series(name="train", y=y))))
    assert len(with_class(root, "c-line")) == 2
    assert len(with_class(root, "c-edge")) == 1


def test_one_exploded_run_does_not_flatten_the_others() -> None:
    y = (2.3, 2.2, 2.0, 1.5, 1e30)
    root = parse(charts.draw(figure(Series(name="loss", y=y, style="dots"))))
    dots = with_class(root, "c-dot")
    heights = [float(dot.get("cy", "0")) for dot in dots]
    assert len(dots) == 4
    assert max(heights) - min(heights) > 100
    (edge,) = with_class(root, "c-edge")
    assert "above the figure" in (edge.findtext(f"{SVG}title") or "")


@pytest.mark.parametrize("y", [(1.0, 1.0), (0.96, 0.99), (0.0, 0.0)])
def test_an_accuracys_axis_ends_where_accuracies_do(y: tuple[float, ...]) -> None:
    series = Series(name="settings", y=y, errors=(0.05, 0.05), style="dots")
    scale = lay_out(
        figure(series, y_label="accuracy", direction="maximize"), width=600, height=300, top=40
    ).y
    assert 0 <= scale.low < scale.high <= 1
    assert all(scale.shows(value) for value in y)


def test_log_axes_have_ticks_as_powers() -> None:
    series = Series(name="loss", x=(1e-5, 1e-3, 1.0), y=(1.0, 2.0, 3.0), style="dots")
    root = parse(charts.draw(figure(series, x_log=True)))
    ticks = [element.text for element in with_class(root, "c-tick")]
    assert {"1e-5", "1e-3", "1"} <= set(ticks)


def test_the_interval_and_the_reference_are_drawn() -> None:
    series = Series(name="loss", x=(1e-5, 1e-3, 1.0), y=(1.0, 2.0, 3.0), style="dots")
    made = figure(series, x_log=True, shaded=(1e-4, 1e-2), horizontal=(("chance", 2.3),))
    root = parse(charts.draw(made))
    assert len(with_class(root, "c-shade")) == 1
    assert [e.text for e in with_class(root, "c-ref-label")] == ["chance (2.3)"]


def test_every_point_says_its_values() -> None:
    series = Series(name="loss", x=(0.01, 0.1), y=(1.0, 2.0), style="dots")
    root = parse(charts.draw(figure(series)))
    titles = [dot.findtext(f"{SVG}title") for dot in with_class(root, "c-dot")]
    assert titles == ["loss: 0.01, 1", "loss: 0.1, 2"]


def test_crowded_lines_are_thinned_but_keep_their_extremes() -> None:
    y = [1.0] * 20_000
    y[12_345] = 9.0
    root = parse(charts.draw(figure(Series(name="loss", y=tuple(y)))))
    (line,) = with_class(root, "c-line")
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    assert len(points) < 2_500
    heights = {y for _, y in points}
    assert max(heights) - min(heights) > 150


def test_roles_differ_by_shape_too() -> None:
    shapes = set()
    for role in ("train", "val", "good", "bad"):
        root = parse(charts.draw(figure(Series(name="a", y=(1.0,), role=role, style="dots"))))
        (dot,) = [e for e in root.iter() if f"c-{role}" in e.get("class", "").split()]
        shapes.add((dot.tag, (dot.get("d") or "").count("L"), (dot.get("d") or "").count("m")))
    assert len(shapes) == 4


def test_a_file_that_stands_alone_carries_its_style() -> None:
    drawn = charts.draw(figure(Series(name="a", y=(1.0,))), standalone=True)
    assert "prefers-color-scheme:dark" in drawn
    assert ".c-train" in drawn
    assert "<style>" not in charts.draw(figure(Series(name="a", y=(1.0,))))


def test_bars_stand_on_zero() -> None:
    bars = Series(name="loss", y=(2.3, 2.4), labels=("a", "b"), style="bars")
    root = parse(charts.draw(figure(bars)))
    heights = [float(bar.get("height", "0")) for bar in with_class(root, "c-bar")]
    assert heights[0] / heights[1] == pytest.approx(2.3 / 2.4, rel=0.01)


@settings(max_examples=150, deadline=None)
@given(
    y=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30),
    x=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=30, max_size=30),
    x_log=st.booleans(),
    y_log=st.booleans(),
    style=st.sampled_from(["line", "dots", "bars"]),
    name=st.text(max_size=20),
)
def test_any_numbers_give_a_well_formed_picture(
    y: list[float], x: list[float], x_log: bool, y_log: bool, style: str, name: str
) -> None:
    series = Series(name=name, x=tuple(x[: len(y)]), y=tuple(y), style=style)
    drawn = charts.draw(figure(series, x_log=x_log, y_log=y_log, horizontal=(("r", 1.0),)))
    for element in parse(drawn).iter():
        for place in ("x", "y", "cx", "cy", "d", "points", "width", "height"):
            value = element.get(place, "")
            assert "nan" not in value
            assert "inf" not in value


def test_an_axis_keeps_what_it_must() -> None:
    scale = fit([1.0, 2.0], log=False, start=0, end=100, keep=[5.0])
    assert scale.shows(5.0)
    assert scale(1.0) < scale(2.0) < scale(5.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (0.0, "0"),
        (2.302585, "2.303"),
        (0.00123, "1.23e-3"),
        (1e-3, "1e-3"),
        (123456.0, "123,456"),
        (math.nan, "NaN"),
        (-math.inf, "-infinity"),
        (12, "12"),
        (True, "yes"),
    ],
)
def test_numbers_read_as_people_write_them(value: object, text: str) -> None:
    assert number(value) == text


def test_durations_and_counts_in_words() -> None:
    assert duration(0.84) == "0.8 s"
    assert duration(250) == "4 min 10 s"
    assert duration(7500) == "2 h 5 min"
    assert plural(1, "trial") == "1 trial"
    assert plural(1200, "trial") == "1,200 trials"


def test_a_state_has_a_sign_and_a_word() -> None:
    assert mark("needs_action").word == "needs action"
    assert mark("some_new_state").word == "some new state"
