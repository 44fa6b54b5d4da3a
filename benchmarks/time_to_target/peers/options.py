"""What every peer is told on its command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.time_to_target.tasks import SEARCHED


@dataclass(frozen=True, slots=True)
class Options:
    """One peer's run.

    Attributes:
        task: A name of ``SEARCHED``.
        seed: Of the search.
        seconds: After which it is ended from outside.
        folder: For its own files; reports go to ``reports`` in it.
        member: Which of its processes this is.
    """

    task: str
    seed: int
    seconds: float
    folder: Path
    member: int

    @property
    def reports(self) -> Path:
        """Where reports go."""
        return self.folder / "reports"


def read_options() -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=SEARCHED, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--member", type=int, default=0)
    return Options(**vars(parser.parse_args()))
