"""Trivial trials in a peer, two at a time: prints one JSON object.

    python -m benchmarks.orchestration.peers.trivial NAME FOLDER

Ray is started in a network namespace that has loopback alone: it binds every interface.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.orchestration.memory import family, unique_megabytes
from benchmarks.time_to_target.peers.alone import raise_loopback

TRIALS, SLOTS = 64, 2


def main() -> None:
    """Run one."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(RUNS[name](folder)))


def optuna_in_memory(folder: Path) -> dict[str, float]:
    """Optuna's study in memory, two threads."""
    return _optuna(None)


def optuna_on_sqlite(folder: Path) -> dict[str, float]:
    """The same on a SQLite file."""
    return _optuna(f"sqlite:///{folder / 'optuna.db'}")


def _optuna(storage: str | None) -> dict[str, float]:
    began = time.monotonic()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.TPESampler(seed=0))
    started = time.monotonic()

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("lr", 1e-3, 1e-1, log=True) + trial.suggest_float("wd", 0, 1)

    study.optimize(objective, n_trials=TRIALS, n_jobs=SLOTS)
    return _figures(began, started)


def ray_by_default(folder: Path) -> dict[str, float]:
    """Ray Tune as it comes: an actor a trial."""
    return _ray(folder, reuse_actors=False)


def ray_with_reuse(folder: Path) -> dict[str, float]:
    """Ray Tune with actors that are used again."""
    return _ray(folder, reuse_actors=True)


def _ray(folder: Path, *, reuse_actors: bool) -> dict[str, float]:
    raise_loopback()
    os.environ.update(
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_USAGE_STATS_ENABLED="0", RAY_AIR_NEW_OUTPUT="0"
    )
    began = time.monotonic()
    import ray
    from ray import tune

    class Trivial(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self._config = config

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._config = new_config
            return True

        def step(self) -> dict[str, Any]:
            return {"score": self._config["lr"] + self._config["wd"], "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            pass

        def load_checkpoint(self, checkpoint: Any) -> None:
            pass

    ray.init(
        num_cpus=SLOTS,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder / "ray"),
        log_to_driver=False,
        logging_level="error",
    )
    started = time.monotonic()
    tune.Tuner(
        tune.with_resources(Trivial, {"cpu": 1}),
        param_space={"lr": tune.loguniform(1e-3, 1e-1), "wd": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric="score", mode="min", num_samples=TRIALS, reuse_actors=reuse_actors
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "results"), verbose=0),
    ).fit()
    return _figures(began, started)


def _figures(began: float, started: float) -> dict[str, float]:
    return {
        "trial_milliseconds": 1000 * (time.monotonic() - started) / TRIALS,
        "start_seconds": started - began,
        "all_megabytes": unique_megabytes(family(os.getpid())),
    }


RUNS = {
    "optuna-memory": optuna_in_memory,
    "optuna-sqlite": optuna_on_sqlite,
    "ray-default": ray_by_default,
    "ray-reuse": ray_with_reuse,
}


if __name__ == "__main__":
    main()
