"""Plain random search: settings drawn by themselves, each trained to the end."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.time_to_target.peers.options import read_options
from benchmarks.time_to_target.plain import epochs
from benchmarks.time_to_target.reports import ReportFile
from benchmarks.time_to_target.tasks import EPOCHS, SEARCHED, one_thread
from recipes.search.cube import to_params
from recipes.space import SearchSpace


def main() -> None:
    """Search until ended from outside."""
    options = read_options()
    one_thread()
    task = SEARCHED[options.task].task()
    space = SearchSpace.model_validate(task.space)
    draws = np.random.default_rng([options.seed, options.member])
    reports = ReportFile(options.reports)
    for number in itertools.count():
        params = to_params(space, draws.random(len(space)).tolist())
        for epoch in epochs(task, params, seed=number, num_epochs=EPOCHS):
            reports.add(epoch.accuracy, params, epoch.number)


if __name__ == "__main__":
    main()
