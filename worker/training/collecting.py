"""A reporter that keeps everything in memory: for tests, benchmarks and notebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from recipes.curve import EMPTY, Curve, CurveBlock, join
from recipes.outcome import MemberOutcome
from worker.training.checkpoint import Checkpoint


@dataclass
class CollectingReporter:
    """Keeps what a run tells, and tells it to stop or drop when asked to.

    Attributes:
        stop_when: Asked before each iteration; true: stop.
        drop: Trials that are no longer wanted.
        checkpoints: By trial, in order; the last one is where it goes on.
        snapshots: The best weights by trial.
    """

    stop_when: Callable[[], bool] = lambda: False
    drop: frozenset[int] = frozenset()
    blocks: list[CurveBlock] = field(default_factory=list)
    checkpoints: dict[int, list[Checkpoint]] = field(default_factory=dict)
    snapshots: dict[int, bytes] = field(default_factory=dict)
    outcomes: dict[int, MemberOutcome] = field(default_factory=dict)

    def points(self, block: CurveBlock) -> None:
        """Keep a block."""
        self.blocks.append(block)

    def checkpoint(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        """Keep a checkpoint, in order."""
        self.checkpoints.setdefault(trial, []).append(Checkpoint(epoch, iteration, content))

    def snapshot(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        """Keep a trial's best weights."""
        self.snapshots[trial] = content

    def outcome(self, outcome: MemberOutcome) -> None:
        """Keep an outcome."""
        self.outcomes[outcome.trial] = outcome

    def stopping(self) -> bool:
        """What ``stop_when`` says."""
        return self.stop_when()

    def dropped(self, trial: int) -> bool:
        """Whether the trial is among ``drop``."""
        return trial in self.drop

    def curve(self, metric: str, split: str = "train", *, trial: int = 0) -> Curve:
        """One of a trial's curves, put together; empty when it reported none."""
        blocks = [block for block in self.blocks if block.trial == trial]
        return join(blocks).get((metric, split), EMPTY)
