"""What a person asked for in a worker's environment: how many trials train together. No torch."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.errors import InvalidSetting

VARIABLE = "SEVENSTEP_FUSE"
"""For the tasks that a worker describes: 0 or 1: trials train one by one; a larger number: up to
so many together wherever they can, whatever that gains."""
MOST = 256
CURE = f"give 0 for one by one, 2 to {MOST} for up to so many together, or leave it out"


def asked_number(environment: Mapping[str, str]) -> int | None:
    """How many trials shall train together, 1: one by one; None: as many as is measured.

    Args:
        environment: The worker's.

    Raises:
        InvalidSetting: What is asked for does not fit; names variable, value and cure.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    is_number = text.isascii() and text.isdecimal() and len(text.lstrip("0")) <= len(str(MOST))
    if not is_number or int(text) > MOST:
        raise InvalidSetting(VARIABLE, text, CURE)
    return max(1, int(text))
