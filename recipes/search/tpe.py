"""What is Optuna's: TPE's proposals, and which hyperparameters matter. Nowhere else.

No Optuna study is kept: one is rebuilt from the stored results for each call, once a
generation (a thousand trials take 0.06 s; notes on performance).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recipes.search.cube import to_params, to_unit
from recipes.space import Categorical, ParameterValue, SearchSpace

if TYPE_CHECKING:
    import optuna

GOOD_SHARE = 0.1
"""PED-ANOVA compares where this share of best trials lies with where all do
(Watanabe et al. 2023)."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A trial as TPE sees it.

    Attributes:
        params: Its setting; names the space lacks are left out.
        score: Higher is better; None: it diverged or failed, the worst there is.
        is_pruned: Discarded before its last epoch. TPE ranks those below the finished,
            the longer ones first, by ``by_epoch``.
        by_epoch: Best score so far by epoch, for a pruned one.
    """

    params: Mapping[str, ParameterValue]
    score: float | None
    is_pruned: bool = False
    by_epoch: Mapping[int, float] = field(default_factory=dict)


def propose_tpe(
    space: SearchSpace, observations: Sequence[Observation], *, count: int, seed: int
) -> list[dict[str, ParameterValue]]:
    """A generation of settings by the tree-structured Parzen estimator (Bergstra et al. 2011).

    All of them follow from the same results; one already proposed counts as a bad one for
    the next (constant liar), which spreads them.

    Args:
        space: What varies.
        observations: Results of completed generations.
        count: How many settings.
        seed: Draws them.
    """
    import optuna

    if not space.root:
        return [{} for _ in range(count)]
    with _quiet():
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, constant_liar=True, seed=seed
        )
        study = _study(space, observations, sampler)
        trials = [study.ask(_distributions(space)) for _ in range(count)]
    return [to_params(space, _point(space, trial.params)) for trial in trials]


def importances(space: SearchSpace, observations: Sequence[Observation]) -> dict[str, float]:
    """Each hyperparameter's share of what makes the best tenth the best; they sum to 1.

    PED-ANOVA (Watanabe et al. 2023). Diverged and failed trials count as the worst.
    """
    import optuna

    if len(space.root) <= 1:
        return dict.fromkeys(space.root, 1.0)
    worst = min((each.score for each in observations if each.score is not None), default=0.0)
    finished = [
        Observation(each.params, worst if each.score is None else each.score)
        for each in observations
    ]
    if len({each.score for each in finished}) < 2:
        return dict.fromkeys(space.root, 1.0 / len(space.root))
    with _quiet():
        study = _study(space, finished, optuna.samplers.RandomSampler(seed=0))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=GOOD_SHARE)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(found.get(name, 0.0)) for name in space.root}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's log lines and its notices that something is experimental."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # Nearly all trials are as good as the best: then no name stands out, as it says.
            warnings.filterwarnings("ignore", "Target and region quantiles select the same set")
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distributions(space: SearchSpace) -> dict[str, optuna.distributions.BaseDistribution]:
    """Optuna searches the unit cube: scales, atoms and rounding are ours alone."""
    import optuna

    return {
        name: (
            optuna.distributions.CategoricalDistribution(range(len(distribution.choices)))
            if isinstance(distribution, Categorical)
            else optuna.distributions.FloatDistribution(0.0, 1.0)
        )
        for name, distribution in space.root.items()
    }


def _point(space: SearchSpace, coordinates: Mapping[str, float]) -> list[float]:
    return [
        (
            (coordinates[name] + 0.5) / len(distribution.choices)
            if isinstance(distribution, Categorical)
            else coordinates[name]
        )
        for name, distribution in space.root.items()
    ]


def _study(
    space: SearchSpace,
    observations: Sequence[Observation],
    sampler: optuna.samplers.BaseSampler,
) -> optuna.Study:
    import optuna

    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(space)
    for each in observations:
        params = {
            name: _coordinate(distribution, each.params[name])
            for name, distribution in space.root.items()
            if name in each.params
        }
        state = optuna.trial.TrialState.COMPLETE
        if each.is_pruned or each.score is None:
            state = optuna.trial.TrialState.PRUNED
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=each.score if state is optuna.trial.TrialState.COMPLETE else None,
                params=params,
                distributions={name: distributions[name] for name in params},
                intermediate_values=dict(each.by_epoch) if each.is_pruned else {},
            )
        )
    return study


def _coordinate(distribution: object, value: ParameterValue) -> float:
    if isinstance(distribution, Categorical):
        return distribution.choices.index(value) if value in distribution.choices else 0
    assert not isinstance(distribution, Categorical)
    return min(max(to_unit(distribution, value), 0.0), 1.0)  # type: ignore[arg-type]
