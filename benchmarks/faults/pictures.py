"""The bench's two pictures as SVG: the confusion matrix and the reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.faults.score import Bin

CELL = 20
LABELS = 200
FONT = 'font-family="system-ui, sans-serif" font-size="11"'


def confusion_svg(counts: Mapping[tuple[str, str], int], faults: Sequence[str]) -> str:
    """Faults down, first answers across; a square's darkness is its share of the row.

    Args:
        counts: By (fault, first answer).
        faults: The rows, in order.
    """
    answers = sorted({answer for _, answer in counts})
    width = LABELS + CELL * len(answers) + 10
    height = LABELS + CELL * len(faults) + 10
    parts = [_head(width, height, "Which code came first for each fault, by share of its runs")]
    for column, answer in enumerate(answers):
        x = LABELS + CELL * column + CELL * 0.7
        parts.append(
            f'<text transform="translate({x:.0f} {LABELS - 6}) rotate(-60)" {FONT}>'
            f"{escape(answer)}</text>"
        )
    for line, fault in enumerate(faults):
        y = LABELS + CELL * line
        parts.append(
            f'<text x="{LABELS - 6}" y="{y + 14}" text-anchor="end" {FONT}>{escape(fault)}</text>'
        )
        total = sum(counts.get((fault, answer), 0) for answer in answers)
        for column, answer in enumerate(answers):
            count = counts.get((fault, answer), 0)
            share = count / total if total else 0.0
            x = LABELS + CELL * column
            parts.append(
                f'<rect x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="#1f5f8b" '
                f'fill-opacity="{0.04 + 0.96 * share:.2f}"><title>{escape(fault)}: '
                f"{escape(answer)} in {count} of {total}</title></rect>"
            )
            if count:
                colour = "#fff" if share > 0.5 else "#222"
                parts.append(
                    f'<text x="{x + CELL / 2 - 0.5}" y="{y + 14}" text-anchor="middle" '
                    f'fill="{colour}" {FONT}>{count}</text>'
                )
    return "\n".join([*parts, "</svg>\n"])


def reliability_svg(found: Sequence[Bin]) -> str:
    """Share of findings that are true, by the confidence they were said with."""
    size, left, top = 300, 60, 20
    parts = [_head(size + left + 30, size + top + 60, "Confidence of findings and how many hold")]

    def place(confidence: float, accuracy: float) -> tuple[float, float]:
        return left + size * confidence, top + size * (1 - accuracy)

    for tick in range(0, 11, 2):
        share = tick / 10
        (x, _), (_, y) = place(share, 0), place(0, share)
        parts += [
            f'<line x1="{left}" y1="{y:.0f}" x2="{left + size}" y2="{y:.0f}" stroke="#ddd"/>',
            f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end" {FONT}>{share:.0%}</text>',
            f'<text x="{x:.0f}" y="{top + size + 16}" text-anchor="middle" {FONT}>{share:.0%}'
            "</text>",
        ]
    parts += [
        f'<line x1="{left}" y1="{top + size}" x2="{left + size}" y2="{top}" stroke="#999" '
        'stroke-dasharray="4 3"/>',
        f'<text x="{left + size / 2}" y="{top + size + 40}" text-anchor="middle" {FONT}>'
        "confidence of the finding</text>",
        f'<text transform="translate(16 {top + size / 2}) rotate(-90)" text-anchor="middle" '
        f"{FONT}>share that is true</text>",
    ]
    largest = max((each.n for each in found), default=1)
    for each in found:
        x, y = place(each.confidence, each.accuracy)
        radius = 3 + 9 * (each.n / largest) ** 0.5
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#1f5f8b" '
            f'fill-opacity="0.7"><title>{each.n} findings: said {each.confidence:.0%}, true '
            f"{each.accuracy:.0%}</title></circle>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _head(width: float, height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>'
    )
