"""Where in a plain log its reader is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class LogState:
    """Where in the log the reader is.

    Attributes:
        lr: Told with a run's settings, before the first line that measures something.
        says_epochs: Whether the word before an epoch's number is "epochs".
    """

    epoch: float | None = None
    run: str = ""
    section: str = ""
    last_split: str = ""
    num_epochs: int | None = None
    lr: float | None = None
    says_epochs: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    percents: set[str] = field(default_factory=set)
    told: Collection[str] = ()
