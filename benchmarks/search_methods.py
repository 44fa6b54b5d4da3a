"""What early discarding costs and saves, and whether TPE beats quasi-random points.

    python -m benchmarks.search_methods [--seeds 20] [--task digits] [--out FILE]

For each seed the steps 1 to 3 run once; then, from what they learned:

- step 4 with and without successive halving, on the same settings with the same seeds. Its
  regret is what the setting it would choose is worth less, trained to the end, than the best
  of all of them trained to the end;
- step 5's search with TPE by generations, with Sobol points and with random ones, in the
  same box with the same first generation where they share one. Compared are the means of the
  finalists over new seeds, paired by study seed.

Tasks: ``digits`` and ``digits-conv`` as they are built in, with step 5's default of 16 settings;
``few``, an MLP on 200 of the digits with six hyperparameters and 48 settings a round, as a
generous budget has: there regularisation matters and there is more to learn.

Real training on real data, on one thread. Intervals are 95 % bootstrap intervals over seeds.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipes import Float, Int, Task
from recipes.search.scoring import epochs_done, score
from recipes.task import SplitName
from tests.in_process import Study
from worker.tasks.digits import DigitsConv, DigitsMLP

FEW = 200
"""Training images of ``few``."""


class DigitsFew(DigitsMLP):
    """The digits MLP with few training images and more to choose."""

    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(16, 256, log=True),
        "momentum": Float(0.0, 0.98),
        "label_smoothing": Float(0.0, 0.3),
        "batch_size": Int(8, 64, log=True),
    }

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """The split's images and labels, of the training split the first ``FEW``."""
        inputs, targets = super().data(split)
        return (inputs[:FEW], targets[:FEW]) if split == "train" else (inputs, targets)


TASKS: dict[str, type[Task]] = {
    "digits": DigitsMLP,
    "digits-conv": DigitsConv,
    "few": DigitsFew,
}
SEARCH: dict[str, dict[str, Any]] = {"few": {"fine_trials": 48}}
"""How a task is searched, where not by the defaults."""

PROPOSALS = ("tpe", "sobol", "random")
BOOTSTRAPS = 10_000


def main() -> None:
    """Run the cells that are not in the output yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--task", choices=sorted(TASKS), default="digits")
    parser.add_argument("--out", type=Path, help="JSON lines; goes on where it stopped")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = _read(options.out)
    for seed in range(options.seeds):
        if (options.task, seed) not in done:
            cell = measure(options.task, seed)
            done[options.task, seed] = cell
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(cell) + "\n")
    cells = [cell for (task, seed), cell in done.items() if task == options.task]
    print(f"{options.task}, {len(cells)} seeds, {platform.machine()}, torch {torch.__version__}")
    print_table(cells)


def _read(path: Path | None) -> dict[tuple[str, int], dict[str, Any]]:
    if path is None or not path.exists():
        return {}
    cells = [json.loads(line) for line in path.read_text().splitlines()]
    return {(cell["task"], cell["seed"]): cell for cell in cells}


def measure(task: str, seed: int) -> dict[str, Any]:
    """One seed of one task."""
    begun = time.monotonic()
    halved, whole = (_coarse(task, seed, early_discard=early) for early in (True, False))
    cell: dict[str, Any] = {"task": task, "seed": seed}
    cell["coarse"] = _regret(halved, whole, 4)
    fine: dict[str, Any] = {}
    for proposals in PROPOSALS:
        study = _coarse(task, seed, fine_proposals=proposals)
        study.step(5, 1, 1)
        best = study.history[-1].result
        assert best is not None
        fine[proposals] = {
            "value": best.best.value,
            "single": study.history[-1].evidence["best_value"],
            "epochs": _epochs(study, 5),
        }
    cell["fine"] = fine
    halved, whole = (
        _fine(task, seed, early_discard=early, fine_proposals="sobol") for early in (True, False)
    )
    cell["fine_halving"] = _regret(halved, whole, 5)
    cell["seconds"] = time.monotonic() - begun
    return cell


def _coarse(task: str, seed: int, **search: Any) -> Study:
    study = Study(
        TASKS[task](), seed=seed, steps=(1, 2, 3, 4, 5), search={**SEARCH.get(task, {}), **search}
    )
    for number in (1, 2, 3, 4):
        study.step(number, 1, 1)
    return study


def _fine(task: str, seed: int, *, early_discard: bool, fine_proposals: str) -> Study:
    """Step 5 in the box of a coarse search that was the same for both."""
    study = Study(
        TASKS[task](),
        seed=seed,
        steps=(1, 2, 3, 4, 5),
        search={**SEARCH.get(task, {}), "fine_proposals": fine_proposals},
    )
    for number in (1, 2, 3, 4):
        study.step(number, 1, 1)
    changed = study.config.search.model_copy(update={"early_discard": early_discard})
    study.config = study.config.model_copy(update={"search": changed})
    study.step(5, 1, 1)
    return study


def _regret(halved: Study, whole: Study, step: int) -> dict[str, float]:
    """Of the setting that halving would choose, by what it is worth trained to the end."""
    full = {
        _key(trial.params): found.score
        for trial in _searched(whole, step)
        if (found := score(trial, whole.description)) is not None
    }
    scored = [score(trial, halved.description) for trial in _searched(halved, step)]
    chosen = max((each for each in scored if each is not None), key=lambda each: each.score)
    return {
        "regret": max(full.values()) - full[_key(chosen.trial.params)],
        "epochs_halved": sum(map(epochs_done, _searched(halved, step))),
        "epochs_whole": sum(map(epochs_done, _searched(whole, step))),
    }


def _searched(study: Study, step: int) -> list[Any]:
    return [
        each
        for each in study.trials.values()
        if each.step == step and each.purpose.value == "search"
    ]


def _epochs(study: Study, step: int) -> int:
    return sum(epochs_done(each) for each in study.trials.values() if each.step == step)


def _key(params: Any) -> str:
    return json.dumps(dict(params), sort_keys=True)


def print_table(cells: list[dict[str, Any]]) -> None:
    """Means with intervals."""
    for name, title in (("coarse", "step 4"), ("fine_halving", "step 5")):
        regret = [cell[name]["regret"] for cell in cells]
        share = [1 - cell[name]["epochs_halved"] / cell[name]["epochs_whole"] for cell in cells]
        print(
            f"{title}: halving saves {100 * np.mean(share):.0f} % of the epochs; regret "
            f"{_interval(regret)}, none in {sum(each == 0 for each in regret)} of {len(regret)}"
        )
    for name in PROPOSALS:
        values = [cell["fine"][name]["value"] for cell in cells]
        print(f"step 5, {name:<6}: mean of the finalist's new seeds {_interval(values)}")
    for name in PROPOSALS[1:]:
        gain = [cell["fine"]["tpe"]["value"] - cell["fine"][name]["value"] for cell in cells]
        wins = sum(each > 0 for each in gain), sum(each < 0 for each in gain)
        print(f"tpe - {name}: {_interval(gain)}; better {wins[0]}, worse {wins[1]}")


def _interval(values: list[float]) -> str:
    """Mean and 95 % bootstrap interval."""
    generator = np.random.default_rng(0)
    draws = generator.choice(values, size=(BOOTSTRAPS, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{np.mean(values):.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
