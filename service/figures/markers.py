"""Points of a figure: one shape for each role, so that colour is never the only sign."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

Edge = Literal["", "above", "below", "none"]
"""Where a point is drawn that has no place on the axis: its value is too large or too small, or
it has none (where more is better, in a band of its own below the others)."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point on the canvas. ``title`` is what hovering or a screen reader says.

    Attributes:
        beyond: Which edge it is drawn on, for want of a place.
        span: Upper and lower pixel of its error bar, where it has one.
        tint: The class of its own colour; empty where its role has one.
    """

    x: float
    y: float
    title: str
    beyond: Edge = ""
    span: tuple[float, float] | None = None
    tint: str = ""


def text(value: str) -> str:
    """Text safe inside SVG: escaped, without the control characters that XML forbids."""
    return escape("".join(c for c in value if c in "\t\n" or " " <= c <= "\ud7ff" or c > "\udfff"))


def marker(point: Point, role: str, *, tone: str = "", small: bool = False) -> str:
    """Circle, triangle (val), diamond (good) or cross (bad): never colour alone.

    Args:
        point: Where, and its title.
        role: Picks shape and colour.
        tone: A class that gives another colour than the role's.
        small: Whether it stands on a line.
    """
    x, y, r = point.x, point.y, 2.6 if small else 4.0
    title = f"<title>{text(point.title)}</title>"
    colour = f"c-{role} {tone or point.tint}".rstrip()
    if role == "bad":
        return (
            f'<path class="c-cross {colour}" d="M{x - r:.1f} {y - r:.1f}l{2 * r:.1f} {2 * r:.1f}'
            f'm0 {-2 * r:.1f}l{-2 * r:.1f} {2 * r:.1f}">{title}</path>'
        )
    if role in ("val", "good"):
        r *= 1.25
        lower = f"L{x - r:.1f} {y + 0.8 * r:.1f}" if role == "val" else f"L{x:.1f} {y + r:.1f}"
        side = f"{x + r:.1f} {y + 0.8 * r:.1f}" if role == "val" else f"{x + r:.1f} {y:.1f}"
        last = "" if role == "val" else f"L{x - r:.1f} {y:.1f}"
        return (
            f'<path class="c-dot {colour}" d="M{x:.1f} {y - r:.1f}L{side}{lower}{last}Z">'
            f"{title}</path>"
        )
    return f'<circle class="c-dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}">{title}</circle>'


def edge_mark(point: Point, role: str) -> str:
    """An arrow on an edge: the value lies beyond it, or is not a number."""
    x, y = point.x, point.y
    away = 1 if point.beyond == "below" else -1
    title = f"<title>{text(point.title)} ({point.beyond} the figure)</title>"
    tip = y - 1 if away > 0 else y + 1
    return (
        f'<path class="c-edge c-{role}" d="M{x:.1f} {tip - 8 * away:.1f}V{tip:.1f}'
        f"M{x - 3.5:.1f} {tip - 3.5 * away:.1f}L{x:.1f} {tip:.1f}"
        f'L{x + 3.5:.1f} {tip - 3.5 * away:.1f}">{title}</path>'
    )


def error_bar(point: Point, role: str) -> str:
    """The interval of a point, if it has one, with a short stroke at either end."""
    if point.span is None or point.beyond:
        return ""
    high, low = point.span
    return (
        f'<path class="c-error c-{role}" d="M{point.x - 4:.1f} {high:.1f}h8m-4 0'
        f'V{low:.1f}m-4 0h8"/>'
    )
