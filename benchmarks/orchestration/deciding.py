"""What proposing and judging take, beside the training of the same steps."""

from __future__ import annotations

import time

from benchmarks.harness.cells import Measured
from recipes.run import RunSpec
from service.conductor.warm_up import warm_up
from tests.in_process import Study
from tests.whole_study import Trained
from worker.tasks.digits import DigitsMLP

STEPS = (1, 2, 3, 4, 5)
SLOTS = 2


class Timed(Study):
    """A study that knows the processor's time of its training."""

    trained = 0.0

    def train_members(self, run: RunSpec, continued: set[int]) -> list[Trained]:
        """As ever."""
        began = time.process_time()
        found = super().train_members(run, continued)
        self.trained += time.process_time() - began
        return found


def deciding(seed: int) -> Measured:
    """Of each step of a study of the digits MLP, the seconds trained and those for the rest.

    The rest is every plan and the judgement, and what puts their context together.
    """
    warm_up()  # as a service that is up has done
    study = Timed(DigitsMLP(), seed=seed, steps=STEPS)
    found = {}
    for number in STEPS:
        trained, began = study.trained, time.process_time()
        study.step(number, 1, 1)
        whole = time.process_time() - began
        found[str(number)] = _figures(study.trained - trained, whole)
    decided = sum(each["deciding_seconds"] for each in found.values())
    found["1 to 5"] = _figures(study.trained, study.trained + decided)
    return {"steps": found}


def _figures(trained: float, whole: float) -> dict[str, float]:
    rest = whole - trained
    return {
        "trained_seconds": trained,
        "deciding_seconds": rest,
        "share": rest / (rest + trained / SLOTS),
    }
