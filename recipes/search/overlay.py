"""The curves of a search laid over each other: the best coloured among the others in grey."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.description import TaskDescription
from recipes.evidence.search import SearchEvidence
from recipes.search.scoring import Scored
from recipes.step import Figure, Series
from recipes.words import plural

MOST_COLOURED = 10
"""Trials that stand out. More lines are not told apart any more."""

FEWEST = 2
"""Trials with a curve, below which there is nothing to lay over each other."""


def curve_overlay(evidence: SearchEvidence) -> tuple[Figure, ...]:
    """The validation metric of every trial by epoch, from its first on.

    The best trials come last, so that they lie above the others; those that diverged or
    failed have no value and are left out.
    """
    order = [each for each in evidence.ranked if each.epochs > 1]
    if len(order) < FEWEST:
        return ()
    description = evidence.description
    best, near, others = order[0], order[1:MOST_COLOURED], order[MOST_COLOURED:]
    drawn = (
        *_lines(others, description, role="muted"),
        *_lines(near, description, role="good"),
        *_lines([best], description, role="train"),
    )
    has_short = any(each.epochs < best.epochs for each in order)
    coloured = plural(len(near) + 1, "trial")
    return (
        Figure(
            name="search_curves",
            title=f"Validation {description.metric} by epoch, the best {coloured} in colour",
            summary=f"Trial {best.number} is the best single run, at epoch {best.epoch} of "
            f"{best.epochs}." + (" Short lines were discarded early." if has_short else ""),
            x_label="epoch",
            y_label=description.metric,
            direction=description.direction,
            series=drawn,
        ),
    )


def _lines(
    trials: Sequence[Scored], description: TaskDescription, *, role: str
) -> tuple[Series, ...]:
    found = []
    # The better, the later drawn.
    for each in reversed(trials):
        points = [
            (epoch, evaluation.metrics[description.metric].mean)
            for epoch, evaluation in enumerate(each.trial.outcome.on("val")[1:], start=1)
            if description.metric in evaluation.metrics
        ]
        found.append(
            Series(
                name=f"trial {each.number}",
                x=tuple(float(epoch) for epoch, _ in points),
                y=tuple(value for _, value in points),
                role=role,
            )
        )
    return tuple(found)
