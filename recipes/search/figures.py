"""The figures of a search: the metric against each hyperparameter, and what mattered."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.description import TaskDescription
from recipes.evidence.search import SearchEvidence
from recipes.search.finalists import TELL_APART, Finalist, best_setting
from recipes.search.relevance import Sensitivity
from recipes.search.scoring import Scored
from recipes.space import Categorical, SearchSpace
from recipes.step import Figure, Series
from recipes.words import number

MOST_SCATTERS = 6
"""Hyperparameters that get a figure of their own."""

OTHER_FIGURES = ("search_map", "search_curves")
"""Of the same report: ``setting_map`` and ``overlay`` make them."""


def search_figures(evidence: SearchEvidence, summary: str) -> tuple[Figure, ...]:
    """A scatter for each hyperparameter, the learning rate first, and bars of importance."""
    names = sorted(evidence.space.root, key=lambda name: name != "lr")[:MOST_SCATTERS]
    figures = _figure_names(names)
    scatters = [_scatter(evidence, name, summary, figure=figures[name]) for name in names]
    bars = _importance(evidence)
    return (*scatters, *((bars,) if bars else ()))


def _figure_names(names: Sequence[str]) -> dict[str, str]:
    """What the figure of each hyperparameter is called, none like another of the search's.

    A figure's name is plain ASCII, for it stands in addresses; a hyperparameter may be called
    anything.
    """
    found: dict[str, str] = {}
    for name in names:
        plain = "".join(
            each if each.isascii() and each.isalnum() else "_" for each in name.lower()
        )
        own = f"search_{plain}"
        while own in OTHER_FIGURES or own in found.values():
            own += "_"
        found[name] = own
    return found


def _scatter(evidence: SearchEvidence, name: str, summary: str, *, figure: str) -> Figure:
    space, metric = evidence.space, evidence.description.metric
    distribution = space[name]
    whole = [each for each in evidence.ranked if each.epochs >= evidence.epochs]
    early = [each for each in evidence.ranked if each.epochs < evidence.epochs]
    series = [
        _dots(f"{evidence.epochs} epochs", whole, space, name, role="good"),
        _dots("discarded early", early, space, name, role="muted"),
    ]
    if evidence.diverged:
        series.append(
            Series(
                name="diverged",
                x=tuple(_x(space, name, each.params.get(name)) for each in evidence.diverged),
                y=tuple(math.nan for _ in evidence.diverged),
                labels=tuple(f"trial {each.number}, diverged" for each in evidence.diverged),
                role="bad",
                style="dots",
            )
        )
    is_log = not isinstance(distribution, Categorical) and distribution.log
    choices = distribution.choices if isinstance(distribution, Categorical) else ()
    return Figure(
        name=figure,
        title=f"Validation {metric} by {name}",
        summary=summary,
        x_label=name,
        y_label=metric,
        x_log=is_log,
        x_names=tuple(map(str, choices)),
        direction=evidence.description.direction,
        series=tuple(each for each in series if each.y),
    )


def _dots(
    name: str, trials: list[Scored], space: SearchSpace, parameter: str, *, role: str
) -> Series:
    return Series(
        name=name,
        x=tuple(_x(space, parameter, each.trial.params.get(parameter)) for each in trials),
        y=tuple(each.value for each in trials),
        labels=tuple(f"trial {each.number}: {number(each.value, 4)}" for each in trials),
        role=role,
        style="dots",
    )


def _x(space: SearchSpace, name: str, value: object) -> float:
    """Where a value is drawn: a choice by its place; 0 has one beside a log axis."""
    distribution = space[name]
    if isinstance(distribution, Categorical):
        return float(distribution.choices.index(value)) if value in distribution.choices else -1.0
    return float(value) if isinstance(value, (int, float)) else float(str(value))


def _importance(evidence: SearchEvidence) -> Figure | None:
    known = [
        each
        for each in evidence.relevance.values()
        if each.sensitivity is not Sensitivity.UNKNOWN and math.isfinite(each.share)
    ]
    if len(known) < 2:
        return None
    known = sorted(known, key=lambda each: -each.share)
    return Figure(
        name="importance",
        title="Importance of the hyperparameters",
        summary=f"{known[0].name} matters most, over {known[0].num_trials} trials.",
        x_label="hyperparameter",
        y_label="share",
        series=(
            Series(
                name="importance",
                y=tuple(each.share for each in known),
                labels=tuple(each.name for each in known),
                role="good",
                style="bars",
            ),
        ),
    )


def finalists_figure(
    settings: Sequence[Finalist], description: TaskDescription, summary: str
) -> Figure:
    """Every run of every finalist, and their means: what the seeds do to a setting."""
    runs = [(place, run) for place, each in enumerate(settings) for run in each.runs]
    return Figure(
        name="finalists",
        title=f"Validation {description.metric} of the finalists, one dot a seed",
        summary=summary,
        x_label="finalist by its first trial, best first",
        y_label=description.metric,
        x_names=tuple(str(each.trial) for each in settings),
        direction=description.direction,
        series=(
            Series(
                name="one seed",
                x=tuple(float(place) for place, _ in runs),
                y=tuple(run.value for _, run in runs),
                labels=tuple(f"trial {run.number}" for _, run in runs),
                role="muted",
                style="dots",
            ),
            Series(
                name="mean, 2 standard errors to either side",
                x=tuple(float(place) for place in range(len(settings))),
                y=tuple(each.value for each in settings),
                errors=tuple(
                    TELL_APART
                    * best_setting(each, (), description, num_candidates=1).standard_error
                    for each in settings
                ),
                labels=tuple(f"trial {each.trial} and its repeats" for each in settings),
                role="good",
                style="dots",
            ),
        ),
    )
