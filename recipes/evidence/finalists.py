"""The evidence of repeated settings: which of them can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.search.finalists import Finalist, noise_between, pooled_sd, tied_with


@dataclass(frozen=True, slots=True)
class FinalistsEvidence:
    """Settings run with new seeds, the best first; at least one.

    Attributes:
        settings: All of them.
        num_candidates: Settings they were chosen from.
    """

    description: TaskDescription
    settings: tuple[Finalist, ...]
    num_candidates: int

    @property
    def best(self) -> Finalist:
        """The one with the best mean."""
        return self.settings[0]

    @property
    def tied(self) -> tuple[Finalist, ...]:
        """Those that cannot be told apart from it."""
        return tied_with(self.best, self.settings[1:], metric=self.description.metric)

    @property
    def seed_sd(self) -> float:
        """Pooled standard deviation between seeds; NaN when no setting has two."""
        return pooled_sd(self.settings)

    @property
    def largest_noise(self) -> float:
        """The largest difference that would not tell a setting apart from the best."""
        metric = self.description.metric
        return max(
            (
                noise_between(self.best, each, self.seed_sd, metric=metric)
                for each in self.settings[1:]
            ),
            default=0.0,
        )
