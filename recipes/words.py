"""Numbers and lists as people read them in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence


def number(value: float, digits: int = 3) -> str:
    """Three significant digits; very small and very large as ``1.2e-05``; NaN and inf named."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return rate(value)
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e" in text else text  # 999.7 rounds to a fourth digit


def rate(value: float) -> str:
    """A learning rate, or whatever lives on a log scale: ``3.2e-4``, ``1e-3``, ``2.2``."""
    if value == 0 or not math.isfinite(value):
        return number(value) if value else "0"
    if 1 <= abs(value) < 99.5:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def rate_or(value: float, words: str) -> str:
    """A learning rate, or what to say where it is not known."""
    return rate(value) if math.isfinite(value) else words


def percent(share: float) -> str:
    """A share as a percentage with two significant digits: ``0.31 %``, ``100 %``."""
    if not math.isfinite(share):
        return number(share)
    value = 100 * share
    if abs(value) >= 99.5 or value == 0:
        return f"{value:.0f} %"
    return f"{value:.2g} %"


def plural(count: int, noun: str) -> str:
    """``1 sample``, ``3 samples``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"


def listing(words: Sequence[str], *, most: int = 4) -> str:
    """``a``, ``a and b``, ``a, b and 3 more``."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
