"""What later steps remember of a search is enough: they conclude the same as with all of it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import pytest

from recipes.evidence.study_curves import MOST_READ, best_number, trials_read
from recipes.outcome import Evaluation
from recipes.plan import STEPS
from recipes.search.memory import left_out, remember
from recipes.step import StepContext
from recipes.trial import TrialPurpose
from tests.recipes_tests.builders import context, description, moments, trial
from tests.recipes_tests.search.test_whole_recipe import SPACE, peak, shape
from tests.simulated import Simulated


class Remembering(Simulated):
    """A study whose steps see of earlier ones what the service shows them."""

    fewest_left_out = math.inf

    def context(self, place, begun):
        whole: StepContext = super().context(place, begun)
        step = STEPS[place[0]]
        if not step.reads_search:
            return whole
        runs = defaultdict(list)
        for each in whole.search:
            runs[each.step, each.round, each.pass_number].append(each)
        memories = {
            run: remember(trials, self.description)
            for run, trials in runs.items()
            if (run[1] != place[1] if step.reads_curves else run[:2] != place[:2])
        }
        shown = [
            each
            for run, trials in runs.items()
            for each in trials
            if run not in memories
            or each.number in memories[run].kept
            or (step.reads_curves and each.number == best_number(whole.history))
        ]
        if place[0] == 7:
            self.fewest_left_out = min(self.fewest_left_out, len(whole.search) - len(shown))
        return replace(
            whole,
            search=sorted(shown, key=lambda each: each.number),
            left_out=left_out(memories.values(), self.description),
        )


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"incumbent": {"lr": 1e-3}, "max_rounds": 2},
        {"budget": {"epochs": 400}},
        {"budget": {"trials": 60}},
        {"budget": {"wall_seconds": 6.0}},
    ],
    ids=["rounds", "incumbent", "epochs", "trials", "time"],
)
def test_a_study_ends_the_same(config):
    # The optimum lies outside, so that step 4 has more than one pass.
    accuracy = peak(0.03, schedule=0.02)
    whole = Simulated(accuracy, SPACE, seed=1, **config)
    brief = Remembering(accuracy, SPACE, seed=1, **config)
    whole.run()
    brief.run()

    assert shape(brief) == shape(whole)
    assert [each.result for each in brief.history] == [each.result for each in whole.history]
    assert [each.findings for each in brief.history] == [each.findings for each in whole.history]
    assert brief.fewest_left_out > 0


def trained(number, accuracy, epochs, *, label="", purpose=TrialPurpose.SEARCH):
    """A trial that was as good after each of some epochs."""
    right = moments(accuracy, n=300)
    metrics = {"loss": moments(1 - accuracy), "accuracy": right}
    evaluations = tuple(
        Evaluation(split="val", iteration=16 * epoch, metrics=metrics)
        for epoch in range(epochs + 1)
    )
    made = trial(number, label=label, evaluations=evaluations, seconds=0.5)
    return replace(made, purpose=purpose)


def test_the_best_the_longest_and_the_repeated_are_kept():
    trials = [
        trained(0, 0.5, epochs=4),
        trained(1, 0.9, epochs=2),
        trained(2, 0.6, epochs=4),
        trained(3, 0.4, epochs=1, purpose=TrialPurpose.REPEAT),
        trained(4, 0.1, epochs=1, label="incumbent"),
        trained(5, 0.2, epochs=3),
    ]

    memory = remember(trials, description())

    assert memory.kept == (0, 1, 2, 3, 4)
    assert (memory.num_valued, memory.epochs) == (1, 3)
    assert memory.seconds == trials[5].outcome.seconds
    assert memory.fits(description())
    assert not memory.fits(description(metric="loss", direction="minimize"))
    assert remember([], description()).kept == ()


def test_what_is_read_instead_of_a_memory_is_not_left_out():
    trials = [trained(number, 0.5 + 0.01 * number, epochs=1) for number in range(5)]
    memory = remember(trials, description())
    beyond = [each for each in trials if each.number not in memory.kept]

    some = left_out([memory], description(), read=beyond[1:])
    none = left_out([memory], description(), read=beyond)

    assert (some.num_valued, some.epochs, some.seconds) == (1, 1, 0.5)
    assert (none.num_valued, none.epochs, none.seconds, none.seconds_alone) == (0, 0, 0.0, 0.0)


def placed(trial, step, round_number):
    return replace(trial, step=step, round=round_number, pass_number=1)


def test_the_curves_of_a_round_are_read_and_of_others_what_is_kept():
    before = [placed(trained(number, 0.5 + 0.01 * number, 2), 5, 1) for number in range(9)]
    repeat = placed(trained(9, 0.4, 2, purpose=TrialPurpose.REPEAT), 5, 1)
    here = [placed(trained(number, 0.4, 2), 5, 2) for number in range(10, 15)]

    read = trials_read(replace(context(), search=(*before, repeat, *here), round=2))

    assert [each.number for each in read] == [0, 8, 9, *range(10, 15)]


def test_of_a_great_many_the_best_and_the_first_without_a_value_are_read():
    count = MOST_READ + 50
    good = [placed(trained(number, number / 1000, 2), 4, 1) for number in range(count)]
    lost = [placed(trained(count + each, math.nan, 2), 4, 1) for each in range(count)]

    read = trials_read(replace(context(), search=(*good, *lost)))

    numbers = {each.number for each in read}
    assert numbers == {0, *range(50, count), *range(count, count + MOST_READ)}
