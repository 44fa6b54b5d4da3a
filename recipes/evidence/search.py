"""The evidence of a search: what its trials were worth, and where the best ones lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.search.edges import Edge, edges
from recipes.search.halving import rungs
from recipes.search.relevance import Relevance, relevance
from recipes.search.scoring import NO_VALUE, Scored, ranked, score
from recipes.search.tpe import Observation
from recipes.space import SearchSpace
from recipes.step import StepKind, TrialResult
from recipes.trial import TrialState


@dataclass(frozen=True, slots=True)
class SearchEvidence:
    """The numbers of step 4, or of step 5's search.

    Attributes:
        kind: Which step.
        space: What was searched.
        ranked: Trials with a value, the best first.
        diverged: Those that ended by divergence or a non-finite loss.
        failed: Those that raised, ran out of memory or were lost.
        relevance: What each hyperparameter mattered after the first rung, where all
            trials had the same number of epochs.
        edges: Best values at an end of their range.
        rungs: The epochs at which the better half went on, the last one included; that one
            alone where no trial ended early for being behind.
    """

    kind: StepKind
    description: TaskDescription
    space: SearchSpace
    trials: tuple[TrialResult, ...]
    ranked: tuple[Scored, ...]
    diverged: tuple[TrialResult, ...]
    failed: tuple[TrialResult, ...]
    relevance: Mapping[str, Relevance]
    edges: tuple[Edge, ...]
    rungs: tuple[int, ...]

    @property
    def epochs(self) -> int:
        """The whole length of a trial."""
        return self.rungs[-1]

    @property
    def best(self) -> Scored | None:
        """The best trial."""
        return self.ranked[0] if self.ranked else None

    @property
    def num_discarded(self) -> int:
        """Trials that ended early for being far behind."""
        return sum(each.epochs < self.epochs for each in self.ranked)

    @property
    def lowest_diverged_lr(self) -> float | None:
        """The lowest learning rate that diverged."""
        rates = [float(each.params["lr"]) for each in self.diverged if "lr" in each.params]
        return min(rates, default=None)


def search_evidence(
    kind: StepKind,
    description: TaskDescription,
    space: SearchSpace,
    trials: Sequence[TrialResult],
    *,
    epochs: int,
    early_discard: bool,
) -> SearchEvidence:
    """The evidence of a search's trials, earlier passes included.

    Args:
        kind: Which step searched.
        description: Says which metric decides.
        space: What was searched, widened ranges included.
        trials: All of its search trials, ended or waiting.
        epochs: The whole length of a trial.
        early_discard: Whether trials far behind ended at rungs (``search.early_discard``).
    """
    order = ranked(trials, description)
    pauses = rungs(epochs, early_discard=early_discard)
    first = pauses[0]
    known = relevance(space, observations(trials, description, up_to=first), epochs=first)
    return SearchEvidence(
        kind=kind,
        description=description,
        space=space,
        trials=tuple(trials),
        ranked=tuple(order),
        diverged=tuple(each for each in trials if each.outcome.cause in NO_VALUE),
        failed=tuple(each for each in trials if each.outcome.state is TrialState.FAILED),
        relevance=known,
        edges=tuple(edges(space, order, known, description)),
        rungs=pauses,
    )


def observations(
    trials: Sequence[TrialResult], description: TaskDescription, *, up_to: int
) -> list[Observation]:
    """Scores after the same number of epochs. Failed trials say nothing and are left out."""
    found = []
    for trial in trials:
        if trial.outcome.state is TrialState.FAILED:
            continue
        scored = score(trial, description, up_to=up_to)
        found.append(Observation(trial.params, None if scored is None else scored.score))
    return found
