"""Seeds: every random draw of a study follows from the study's seed and a name."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2^31) from a path of names and numbers, the study's seed first.

    The same path gives the same seed on every machine and in every release.
    """
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1
