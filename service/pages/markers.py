"""Points of a figure: one shape for each role, so that colour is never the only sign."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Point:
    """One point on the canvas. ``title`` is what hovering or a screen reader says."""

    x: float
    y: float
    title: str
    beyond: bool  # drawn on the edge: too large for the axis, or not a number


def text(value: str) -> str:
    """Text safe inside SVG: escaped, without the control characters that XML forbids."""
    return escape("".join(c for c in value if c in "\t\n" or " " <= c <= "\ud7ff" or c > "\udfff"))


def marker(point: Point, role: str, *, small: bool = False) -> str:
    """Circle, triangle (val), diamond (good) or cross (bad): never colour alone."""
    x, y, r = point.x, point.y, 2.6 if small else 4.0
    title = f"<title>{text(point.title)}</title>"
    if role == "bad":
        return (
            f'<path class="c-cross c-bad" d="M{x - r:.1f} {y - r:.1f}l{2 * r:.1f} {2 * r:.1f}'
            f'm0 {-2 * r:.1f}l{-2 * r:.1f} {2 * r:.1f}">{title}</path>'
        )
    if role in ("val", "good"):
        r *= 1.25
        lower = f"L{x - r:.1f} {y + 0.8 * r:.1f}" if role == "val" else f"L{x:.1f} {y + r:.1f}"
        side = f"{x + r:.1f} {y + 0.8 * r:.1f}" if role == "val" else f"{x + r:.1f} {y:.1f}"
        last = "" if role == "val" else f"L{x - r:.1f} {y:.1f}"
        return (
            f'<path class="c-dot c-{role}" d="M{x:.1f} {y - r:.1f}L{side}{lower}{last}Z">'
            f"{title}</path>"
        )
    return f'<circle class="c-dot c-{role}" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}">{title}</circle>'


def edge_mark(point: Point, role: str) -> str:
    """An arrow on the upper edge: the value lies above it, or is not a number."""
    x, y = point.x, point.y
    return (
        f'<path class="c-edge c-{role}" d="M{x:.1f} {y + 9:.1f}V{y + 1:.1f}'
        f'M{x - 3.5:.1f} {y + 4.5:.1f}L{x:.1f} {y + 1:.1f}L{x + 3.5:.1f} {y + 4.5:.1f}">'
        f"<title>{text(point.title)} (above the figure)</title></path>"
    )
