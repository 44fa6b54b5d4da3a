"""Ray Tune: ASHA with OptunaSearch, two trials at a time in actors that are used again.

Ray binds every interface of the machine, whatever it is told: this process is started in a
network namespace of its own, where it brings up loopback and has nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from benchmarks.time_to_target.peers.alone import raise_loopback
from benchmarks.time_to_target.peers.options import read_options

os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from benchmarks.time_to_target.plain import Epoch, epochs
from benchmarks.time_to_target.reports import ReportFile
from benchmarks.time_to_target.tasks import EPOCHS, SEARCHED, one_thread
from recipes.space import Categorical, Float, Int, SearchSpace

SLOTS = 2


class Training(tune.Trainable):
    """One setting, an epoch a step."""

    def setup(self, config: dict[str, Any], place: Any = None) -> None:
        """A new actor: load the task once."""
        one_thread()
        self._task = SEARCHED[place.task].task()
        self._reports = ReportFile(place.reports)
        self._number = 0
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The same actor goes on with another setting."""
        self._params = dict(new_config)
        self._number += 1
        self._epochs: Iterator[Epoch] = epochs(
            self._task, self._params, seed=self._number, num_epochs=EPOCHS
        )
        self._last = 0.0
        return True

    def step(self) -> dict[str, Any]:
        """One epoch."""
        epoch = next(self._epochs, None)
        if epoch is None:  # it diverged
            return {"accuracy": self._last, "done": True}
        self._reports.add(epoch.accuracy, self._params, epoch.number)
        self._last = epoch.accuracy
        return {"accuracy": epoch.accuracy, "done": epoch.number == EPOCHS}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing is kept: ASHA only stops trials, none is paused."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing was kept."""


def main() -> None:
    """Search until ended from outside."""
    options = read_options()
    raise_loopback()
    ray.init(
        num_cpus=SLOTS,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(options.folder / "ray"),
        log_to_driver=False,
        logging_level="error",
    )
    space = SearchSpace.model_validate(SEARCHED[options.task].task().space)
    tune.Tuner(
        tune.with_resources(tune.with_parameters(Training, place=options), {"cpu": 1}),
        param_space={name: _domain(each) for name, each in space.root.items()},
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            scheduler=ASHAScheduler(
                time_attr="training_iteration", max_t=EPOCHS, grace_period=1, reduction_factor=3
            ),
            search_alg=ConcurrencyLimiter(OptunaSearch(seed=options.seed), max_concurrent=SLOTS),
            num_samples=-1,
            time_budget_s=options.seconds,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(options.folder / "results"), verbose=0),
    ).fit()


def _domain(each: Float | Int | Categorical) -> Any:
    """A range of Ray's; a logarithmic one's extra 0 is left out, its low end is next to it."""
    if isinstance(each, Categorical):
        return tune.choice(list(each.choices))
    if isinstance(each, Int):  # its upper end is not included
        return (tune.lograndint if each.log else tune.randint)(each.low, each.high + 1)
    return (tune.loguniform if each.log else tune.uniform)(each.low, each.high)


if __name__ == "__main__":
    main()
