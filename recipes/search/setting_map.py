"""The map of a search: learning rate against weight decay, the metric as colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.evidence.search import SearchEvidence
from recipes.search.relevance import Sensitivity
from recipes.search.scoring import NO_VALUE, Scored
from recipes.space import Categorical, Float, Int, ParameterValue, SearchSpace
from recipes.step import Box, Figure, Series, TrialResult
from recipes.words import number

RATE, DECAY = "lr", "weight_decay"
"""The pair that CS231n's random search is about ("Random search for hyper-parameters")."""


def setting_map(
    evidence: SearchEvidence,
    summary: str,
    *,
    box: SearchSpace | None = None,
    fixed: Mapping[str, ParameterValue] | None = None,
) -> tuple[Figure, ...]:
    """Every trial where its setting lies; none when fewer than two numbers were searched.

    Weight decay is on x because it may be 0, which has a place beside that axis. Without one
    the number that mattered most takes its place.

    Args:
        evidence: The search's trials, those without a value included.
        summary: What the step said.
        box: What step 5 searches; None where there is no such box yet.
        fixed: What step 5 holds fixed, by name.
    """
    space = evidence.space
    across = _across(evidence)
    if not isinstance(space.root.get(RATE), Float) or across is None:
        return ()
    whole = [each for each in evidence.ranked if each.epochs >= evidence.epochs]
    early = [each for each in evidence.ranked if each.epochs < evidence.epochs]
    lost = [each for each in evidence.trials if _has_no_value(each)]
    series = (
        _points(f"{evidence.epochs} epochs", whole, across, role="train"),
        _points("discarded early", early, across, role="val"),
        _lost(lost, across),
    )
    boxes = [Box(name="searched", x=_range(space.root[across]), y=_range(space.root[RATE]))]
    if box is not None:
        x, y = (_covered(name, space, box, fixed or {}) for name in (across, RATE))
        boxes.append(Box(name="step 5 searches here", x=x, y=y, role="good"))
    metric = evidence.description.metric
    rate, other = space.root[RATE], space.root[across]
    return (
        Figure(
            name="search_map",
            title=f"Validation {metric} by {RATE} and {across}",
            summary=summary,
            x_label=across,
            y_label=RATE,
            x_log=not isinstance(other, Categorical) and other.log,
            y_log=not isinstance(rate, Categorical) and rate.log,
            tint_label=metric,
            series=tuple(each for each in series if each.y),
            boxes=tuple(boxes),
        ),
    )


def _across(evidence: SearchEvidence) -> str | None:
    """What stands on x: weight decay, or else the number that mattered most."""
    numbers = [
        name
        for name, each in evidence.space.root.items()
        if isinstance(each, (Float, Int)) and name != RATE
    ]
    if DECAY in numbers:
        return DECAY

    def share(name: str) -> float:
        known = evidence.relevance.get(name)
        is_known = known is not None and known.sensitivity is not Sensitivity.UNKNOWN
        return known.share if known is not None and is_known else 0.0

    return max(numbers, key=share, default=None)


def _has_no_value(trial: TrialResult) -> bool:
    return trial.outcome.cause in NO_VALUE or trial.outcome.state.value == "failed"


def _points(name: str, trials: Sequence[Scored], across: str, *, role: str) -> Series:
    return Series(
        name=name,
        x=tuple(float(each.trial.params[across]) for each in trials),
        y=tuple(float(each.trial.params[RATE]) for each in trials),
        tints=tuple(each.value for each in trials),
        labels=tuple(
            f"trial {each.number}: {number(each.value, 4)} at {RATE}"
            f" {number(float(each.trial.params[RATE]), 3)}, {across}"
            f" {number(float(each.trial.params[across]), 3)}"
            for each in trials
        ),
        role=role,
        style="dots",
    )


def _lost(trials: Sequence[TrialResult], across: str) -> Series:
    return Series(
        name="diverged or failed",
        x=tuple(float(each.params[across]) for each in trials),
        y=tuple(float(each.params[RATE]) for each in trials),
        labels=tuple(
            f"trial {each.number}: {'diverged' if each.outcome.cause in NO_VALUE else 'failed'}"
            for each in trials
        ),
        role="bad",
        style="dots",
    )


def _range(distribution: Float | Int | Categorical) -> tuple[float, float]:
    """From the lowest value to the highest; from 0 where that is one of them."""
    if isinstance(distribution, Categorical):
        raise ValueError(f"distribution {distribution!r} has no range; give one of numbers")
    has_zero = isinstance(distribution, Float) and distribution.zero
    return (0.0 if has_zero else float(distribution.low)), float(distribution.high)


def _covered(
    name: str, space: SearchSpace, box: SearchSpace, fixed: Mapping[str, ParameterValue]
) -> tuple[float, float]:
    if name in fixed:
        return float(fixed[name]), float(fixed[name])
    return _range(box.root.get(name, space.root[name]))
