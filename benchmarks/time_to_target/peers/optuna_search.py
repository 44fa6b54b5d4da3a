"""Optuna: TPE with Hyperband's pruner; processes share a journal, the quicker of its storages."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.time_to_target.peers.options import read_options
from benchmarks.time_to_target.plain import epochs
from benchmarks.time_to_target.reports import ReportFile
from benchmarks.time_to_target.tasks import EPOCHS, SEARCHED, one_thread
from recipes.space import Categorical, Int, SearchSpace


def main() -> None:
    """Search until ended from outside."""
    options = read_options()
    one_thread()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task = SEARCHED[options.task].task()
    space = SearchSpace.model_validate(task.space)
    reports = ReportFile(options.reports)
    study = optuna.create_study(
        study_name="peer",
        storage=JournalStorage(JournalFileBackend(str(options.folder / "journal"))),
        # Two processes ask: what the other one tries must count as tried.
        sampler=optuna.samplers.TPESampler(
            seed=1_000 * options.seed + options.member, constant_liar=True
        ),
        pruner=optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=EPOCHS, reduction_factor=3
        ),
        direction="maximize",
        load_if_exists=True,
    )

    def objective(trial: optuna.Trial) -> float:
        params = suggest(trial, space)
        best = 0.0
        for epoch in epochs(task, params, seed=trial.number, num_epochs=EPOCHS):
            reports.add(epoch.accuracy, params, epoch.number)
            best = max(best, epoch.accuracy)
            trial.report(epoch.accuracy, epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned
        return best

    study.optimize(objective)


def suggest(trial: Any, space: SearchSpace) -> dict[str, Any]:
    """A setting; a logarithmic range's extra 0 is left out, its low end is next to it."""
    params: dict[str, Any] = {}
    for name, each in space.root.items():
        if isinstance(each, Categorical):
            params[name] = trial.suggest_categorical(name, list(each.choices))
        elif isinstance(each, Int):
            params[name] = trial.suggest_int(name, each.low, each.high, log=each.log)
        else:
            params[name] = trial.suggest_float(name, each.low, each.high, log=each.log)
    return params


if __name__ == "__main__":
    main()
