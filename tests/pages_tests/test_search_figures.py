"""What the search steps' figures need of the drawing: errors, edges, zeros, names, legends."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import pytest

from recipes.step import Figure, Series
from service.figures import charts
from service.figures.figure_table import MAX_ROWS, figure_table

Element = ElementTree.Element


def figure(*series: Series, **fields: object) -> Figure:
    base = {"name": "f", "title": "A figure", "summary": "It shows.", "x_label": "lr"}
    return Figure.model_validate({**base, "y_label": "accuracy", "series": series, **fields})


def drawn(made: Figure, size: tuple[int, int] = charts.WIDE) -> Element:
    return ElementTree.fromstring(charts.draw(made, size=size))


def with_class(root: Element, name: str) -> list[Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def texts(root: Element, name: str) -> list[str]:
    return [element.text or "" for element in with_class(root, name)]


def dots(name: str, x: Sequence[float], y: Sequence[float], role: str = "train") -> Series:
    return Series(name=name, x=tuple(x), y=tuple(y), role=role, style="dots")


def test_errors_are_whiskers_on_dots_and_a_band_around_a_line() -> None:
    y, errors = (0.9, 0.95), (0.01, 0.02)
    scatter = drawn(figure(Series(name="mean", y=y, errors=errors, style="dots")))
    line = drawn(figure(Series(name="val", y=y, errors=errors, role="val")))
    assert len(with_class(scatter, "c-error")) == 2
    assert not with_class(scatter, "c-band")
    (band,) = with_class(line, "c-band")
    assert len(band.get("points", "").split()) == 4


def test_whiskers_fit_on_the_axis() -> None:
    root = drawn(figure(Series(name="mean", y=(0.8, 0.85), errors=(0.1, 0.1), style="dots")))
    assert len(set(whisker_tops(root))) == 2


def test_whiskers_end_where_the_metric_does() -> None:
    root = drawn(figure(Series(name="mean", y=(0.93, 0.95), errors=(0.1, 0.1), style="dots")))
    assert len(set(whisker_tops(root))) == 1
    assert "1.1" not in texts(root, "c-tick")


def whisker_tops(root: Element) -> list[float]:
    """Where the whiskers end, in pixels from the top."""
    paths = [each.get("d", "") for each in with_class(root, "c-error")]
    return [float(path.split(" ")[1].split("h")[0]) for path in paths]


def test_what_diverged_has_a_place_below_where_more_is_better() -> None:
    made = figure(
        dots("ran", (1e-3, 1e-2), (0.6, 0.9)),
        dots("diverged", (1.0,), (math.nan,), "bad"),
        x_log=True,
        direction="maximize",
    )
    root = drawn(made)
    lowest = max(float(dot.get("cy", "0")) for dot in with_class(root, "c-dot"))
    crosses = [e for e in with_class(root, "c-cross") if "NaN" in (e[0].text or "")]
    (cross,) = crosses
    assert float(cross.get("d", "").split(" ")[1].split("l")[0]) > lowest
    assert "none" in texts(root, "c-tick")


def test_one_terrible_value_does_not_flatten_the_others() -> None:
    made = figure(
        dots("r2", range(6), (0.4, 0.41, 0.43, 0.45, 0.44, -900.0)), direction="maximize"
    )
    root = drawn(made)
    heights = [float(dot.get("cy", "0")) for dot in with_class(root, "c-dot")]
    assert max(heights) - min(heights) > 100
    (edge,) = with_class(root, "c-edge")
    assert "below the figure" in (edge[0].text or "")


def test_zero_has_a_place_beside_a_log_axis() -> None:
    root = drawn(figure(dots("trials", (0.0, 1e-6, 1e-2), (0.8, 0.9, 0.7)), x_log=True))
    places = sorted(float(dot.get("cx", "0")) for dot in with_class(root, "c-dot"))
    assert len(places) == 3
    assert places[1] - places[0] > 20
    assert "0" in texts(root, "c-tick")


def test_choices_are_named_on_the_axis() -> None:
    made = figure(dots("trials", (0, 1, 1), (0.8, 0.9, 0.7)), x_names=("sgd", "adamw"))
    assert {"sgd", "adamw"} <= set(texts(drawn(made), "c-tick"))


def test_lines_of_one_role_differ_in_colour() -> None:
    lines = [Series(name=f"1e-{n}", y=(2.0, 1.0), role="muted") for n in (4, 3)]
    lines.append(Series(name="1e-2", y=(2.0, 0.1), role="good"))
    root = drawn(figure(*lines))
    looks = [e.get("class", "") for e in with_class(root, "c-line") if e.tag.endswith("polyline")]
    assert len(set(looks)) == 3
    assert sum("c-tone" in look for look in looks) == 2  # the good one shares its role with none


def test_a_crowd_is_one_entry_of_the_legend() -> None:
    crowd = [Series(name=f"trial {n}", y=(1.0, 2.0), role="muted") for n in range(20)]
    root = drawn(figure(*crowd, Series(name="best", y=(1.0, 3.0), role="good")))
    assert texts(root, "c-legend") == ["trial 0 and 19 more", "best"]


@pytest.mark.parametrize("size", [charts.WIDE, charts.NARROW])
def test_a_long_title_is_broken_and_not_cut(size: tuple[int, int]) -> None:
    title = "Loss on unseen samples after 100 iterations, by learning rate, and then some more"
    root = drawn(figure(dots("a", (1,), (1,)), title=title), size)
    assert " ".join(texts(root, "c-title")) == title
    assert len(texts(root, "c-title")) > 1


def test_bars_with_long_names_lie_and_say_their_values() -> None:
    names = ("weight_decay", "hidden units of the first layer", "learning rate of the head")
    bars = Series(name="importance", y=(0.8, 0.15, 0.05), labels=names, style="bars")
    root = drawn(figure(bars), charts.NARROW)
    widths = [float(bar.get("width", "0")) for bar in with_class(root, "c-bar")]
    assert widths[0] / widths[1] == pytest.approx(0.8 / 0.15, rel=0.02)
    assert texts(root, "c-tick") == ["0.8", "0.15", "0.05"]
    assert texts(root, "c-name")[0] == "weight_decay"


def test_an_axis_that_is_zoomed_says_so() -> None:
    near = (2.31, 2.30, 2.32)
    zoomed = drawn(figure(dots("loss", (1, 2, 3), near), y_label="loss"))
    whole = drawn(figure(dots("loss", (1, 2, 3), near), y_label="loss", y_from_zero=True))
    assert any("zoomed" in text for text in texts(zoomed, "c-label"))
    assert not any("zoomed" in text for text in texts(whole, "c-label"))
    assert "0" in texts(whole, "c-tick")


def test_a_reference_is_named_where_it_hides_nothing() -> None:
    points = dots("loss", (8, 9, 10, 9, 10), (1.01, 1.01, 1.01, 0.97, 0.97))
    low = dots("low", (1,), (0.0,))
    root = drawn(figure(points, low, horizontal=(("start", 1.0),)))
    (label,) = with_class(root, "c-ref-label")
    assert float(label.get("x", "0")) < 100


def test_the_table_tells_every_point() -> None:
    made = figure(
        Series(name="mean", y=(0.97, math.nan), errors=(0.01, 0.02), style="dots"),
        x_names=("9", "yours"),
    )
    table = figure_table(made)
    assert table.columns == ("series", "lr", "accuracy", "±")
    assert table.rows == (("mean", "9", "0.97", "0.01"), ("mean", "yours", "NaN", "0.02"))
    assert table.left_out == 0


def test_the_table_of_long_curves_keeps_first_and_last_and_says_what_is_left_out() -> None:
    table = figure_table(figure(Series(name="loss", y=tuple(map(float, range(1000))))))
    assert len(table.rows) == MAX_ROWS
    assert (table.rows[0][1], table.rows[-1][1]) == ("0", "999")
    assert table.left_out == 1000 - MAX_ROWS
