"""Scores, rungs, what matters, edges, and which settings can be told apart."""

from __future__ import annotations

import base64
import dataclasses
import math

import numpy as np
import pytest

from recipes.outcome import Evaluation, MemberOutcome, Moments
from recipes.search.champion import standing
from recipes.search.edges import edges
from recipes.search.finalists import finalists, noise_between, pooled_sd, tied_with
from recipes.search.halving import epochs_per_trial, promote, rungs
from recipes.search.region import coarse_space, narrowed, ranged, widened, within_limits
from recipes.search.relevance import Sensitivity, relevance
from recipes.search.scoring import (
    best_by_epoch,
    error_of,
    paired_standard_error,
    ranked,
    score,
)
from recipes.search.tpe import Observation
from recipes.space import Categorical, Float, Int, SearchSpace
from recipes.step import TrialResult
from recipes.trial import TrialCause, TrialPurpose, TrialState
from tests.recipes_tests.builders import description, regression

N = 300
TASK = description()


def evaluation(accuracy, *, iteration=0, correct=None):
    count = accuracy * N
    return Evaluation(
        split="val",
        iteration=iteration,
        metrics={
            "loss": Moments(total=N * (1 - accuracy), total_squares=N * 2.0, n=N),
            "accuracy": Moments(total=count, total_squares=count, n=N),
            "r2": Moments(total=count, total_squares=count, n=N),
        },
        correct=correct,
    )


def trial(number, accuracies, *, cause=TrialCause.FINISHED, **fields):
    """Accuracies by epoch, before the first one included."""
    return TrialResult(
        **{
            "number": number,
            "purpose": TrialPurpose.SEARCH,
            "label": "search",
            "params": {"lr": 0.01},
            "outcome": MemberOutcome(
                trial=number,
                state=TrialState.COMPLETE,
                cause=cause,
                iterations=10,
                evaluations=tuple(evaluation(each) for each in accuracies),
                seconds=1.0,
            ),
            **fields,
        }
    )


def test_a_score_is_the_best_epochs_and_the_untrained_model_is_none():
    found = score(trial(0, [0.95, 0.5, 0.7, 0.6]), TASK)
    assert found is not None
    assert (found.value, found.epoch, found.epochs) == (pytest.approx(0.7), 2, 3)
    assert found.standard_error == pytest.approx(math.sqrt(0.7 * 0.3 / (N - 1)))
    early = score(trial(0, [0.95, 0.5, 0.7, 0.6]), TASK, up_to=1)
    assert early is not None
    assert early.value == pytest.approx(0.5)


@pytest.mark.parametrize("right", [0, 40])
def test_an_accuracy_of_all_or_none_is_not_known_exactly(right):
    moments = Moments(n=40, total=right, total_squares=right)

    found = error_of(moments, "accuracy")

    share = (right + 2) / 44
    assert moments.standard_error == 0
    assert found == pytest.approx(math.sqrt(share * (1 - share) / 44))
    assert error_of(moments, "loss") == 0


@pytest.mark.parametrize("task", [TASK, description(metric="loss", direction="minimize")])
def test_the_best_by_epoch_is_the_score_of_the_epochs_up_to_there(task):
    one = trial(0, [0.95, math.nan, 0.5, 0.7, math.nan, 0.6, 0.8])
    scores = {epoch: score(one, task, up_to=epoch) for epoch in range(1, 7)}
    assert scores[1] is None
    assert best_by_epoch(one, task) == {
        epoch: scored.score for epoch, scored in scores.items() if scored is not None
    }
    assert best_by_epoch(trial(0, [0.1, 0.9], cause=TrialCause.DIVERGED), task) == {}


@pytest.mark.parametrize("cause", [TrialCause.DIVERGED, TrialCause.NON_FINITE])
def test_a_diverged_trial_has_no_value(cause):
    assert score(trial(0, [0.1, 0.9], cause=cause), TASK) is None
    assert score(trial(0, [0.1, math.nan]), TASK) is None
    assert score(trial(0, []), TASK) is None


def test_a_loss_that_is_minimised_ranks_upwards():
    task = regression(metric="loss", direction="minimize")
    order = ranked([trial(0, [0.1, 0.5]), trial(1, [0.1, 0.9]), trial(2, [0.1, 0.9])], task)
    assert [each.number for each in order] == [1, 2, 0]
    assert order[0].score == -order[0].value


def test_paired_noise_is_that_of_the_samples_that_differ():
    bits = np.zeros(N, dtype=bool)
    bits[:200] = True
    other = bits.copy()
    other[190:210] = ~other[190:210]
    packed = [base64.b64encode(np.packbits(each).tobytes()).decode() for each in (bits, other)]
    a, b = (evaluation(2 / 3, correct=each) for each in packed)
    assert paired_standard_error(a, b, "accuracy") == pytest.approx(math.sqrt(20) / N)
    plain = paired_standard_error(evaluation(2 / 3), evaluation(2 / 3), "accuracy")
    assert plain == pytest.approx(math.sqrt(2 * (2 / 9) / N), rel=0.01)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, (1,)), (2, (1, 2)), (5, (1, 2, 5)), (20, (5, 10, 20))]
)
def test_rungs(epochs, expected):
    assert rungs(epochs) == expected
    assert rungs(epochs, early_discard=False) == (epochs,)


def test_what_a_trial_costs_with_halving():
    assert epochs_per_trial(20) == 5 + 5 / 2 + 10 / 4
    assert epochs_per_trial(20, early_discard=False) == 20


def test_the_better_half_goes_on_and_whoever_must_be_kept():
    order = ranked([trial(at, [0.1, 0.9 - 0.1 * at]) for at in range(5)], TASK)
    assert promote(order) == (0, 1, 2)
    assert promote(order, keep=(4,)) == (0, 1, 2, 4)
    assert promote([]) == ()


SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "activation": Categorical(["relu", "tanh"]),
    }
)


def searched(function, count=32):
    from recipes.search.proposals import propose

    points = propose("sobol", SPACE, first=0, count=count, seed=2)
    return [
        trial(at, [0.1, *([function(params)] * 5)], params=params)
        for at, params in enumerate(points)
    ]


def observed(trials):
    found = []
    for each in trials:
        scored = score(each, TASK)
        found.append(Observation(each.params, scored.score if scored else None))
    return found


def test_nothing_is_said_of_importance_below_twenty_trials():
    trials = searched(lambda params: 0.5, count=19)
    known = relevance(SPACE, observed(trials), epochs=20)
    assert {each.sensitivity for each in known.values()} == {Sensitivity.UNKNOWN}


def test_what_matters_and_what_does_not():
    def by_lr(params):
        return 0.9 - 0.1 * abs(math.log10(params["lr"]) + 2)

    known = relevance(SPACE, observed(searched(by_lr)), epochs=20)
    assert known["lr"].sensitivity is Sensitivity.MATTERS
    assert known["activation"].sensitivity is Sensitivity.INSENSITIVE
    short = relevance(SPACE, observed(searched(by_lr)), epochs=1)
    assert short["weight_decay"].sensitivity is not Sensitivity.INSENSITIVE


def _found_edges(function, space=SPACE):
    trials = searched(function)
    order = ranked(trials, TASK)
    return edges(space, order, relevance(SPACE, observed(trials), epochs=20), TASK)


def test_the_best_at_an_edge_beyond_noise():
    found = _found_edges(lambda params: 0.5 + 0.1 * math.log10(params["lr"] / 1e-4))
    assert [(edge.name, edge.side) for edge in found] == [("lr", "high")]
    assert isinstance(found[0].wider, Float)
    assert (found[0].wider.low, found[0].wider.high) == (1e-4, 10.0)


def test_an_edge_where_luck_put_the_best_is_none():
    assert _found_edges(lambda params: 0.5 + 0.001 * math.log10(params["lr"] / 1e-4)) == []


def test_weight_decays_zero_is_no_edge():
    found = _found_edges(lambda params: 0.9 if params["weight_decay"] == 0 else 0.4)
    assert all(edge.name != "weight_decay" for edge in found)


LR = SearchSpace({"lr": Float(1e-4, 1.0, log=True)})


def at_rates(rates, accuracies):
    """One trial a learning rate, the best first."""
    pairs = zip(rates, accuracies, strict=True)
    return ranked(
        [trial(at, [0.1, value], params={"lr": lr}) for at, (lr, value) in enumerate(pairs)], TASK
    )


def test_two_of_the_best_at_an_edge_are_none_while_the_best_lies_well_inside():
    # What else lies inside is clearly worse.
    order = at_rates((1e-2, 0.9, 0.8, 1e-3), (0.9, 0.89, 0.88, 0.4))

    assert edges(LR, order, {}, TASK) == []


def test_an_edges_value_is_that_of_the_best_trial_at_the_edge():
    order = at_rates((0.25, 0.9, 0.8, 1e-3), (0.9, 0.89, 0.88, 0.4))

    (edge,) = edges(LR, order, {}, TASK)

    assert (edge.side, edge.value, edge.is_best) == ("high", 0.9, False)
    (edge,) = edges(LR, at_rates((0.95, 1e-3), (0.9, 0.4)), {}, TASK)
    assert (edge.side, edge.value, edge.is_best) == ("high", 0.95, True)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(
    "distribution", [Float(0.0, 0.5), Int(0, 4), Int(1, 64, log=True)], ids=str
)
def test_an_end_beyond_which_no_value_lies_is_no_edge(distribution, hard):
    space = SearchSpace({"own": distribution.model_copy(update={"hard": hard})})
    low, high = distribution.extremes()
    best = trial(0, [0.1, 0.9], params={"own": low})
    worst = trial(1, [0.1, 0.3], params={"own": high})

    assert edges(space, ranked([best, worst], TASK), {}, TASK) == []
    (edge,) = edges(space, ranked([worst], TASK), {}, TASK)
    assert edge.side == "high"


def test_a_hard_range_does_not_grow():
    hard = SPACE.replace(lr=Float(1e-4, 1.0, log=True, hard=True))
    found = _found_edges(lambda params: 0.5 + 0.1 * math.log10(params["lr"] / 1e-4), hard)
    assert [edge.wider for edge in found] == [None]


@pytest.mark.parametrize(
    ("distribution", "side", "expected"),
    [
        (Float(1e-3, 1e-1, log=True), "high", (1e-3, 1.0)),
        (Float(1e-3, 1e-1, log=True), "low", (1e-4, 1e-1)),
        (Float(0.0, 0.5), "high", (0.0, 1.0)),
        (Int(32, 256, log=True), "high", (32, 2560)),
        (Int(4, 256, log=True), "low", (1, 256)),
        (Int(1, 4), "high", (1, 7)),
    ],
)
def test_how_a_soft_range_grows(distribution, side, expected):
    wider = widened(distribution, side)
    assert wider is not None
    assert (wider.low, wider.high) == pytest.approx(expected)


def test_a_whole_number_grows_to_the_largest_there_is():
    wider = widened(Int(1, 2**62, log=True), "high")
    assert wider is not None
    assert wider.high == 2**63 - 1
    assert within_limits("hidden", widened(wider, "high"), wider) is None


def test_what_cannot_grow():
    assert widened(Float(0.0, 0.5), "low") is None
    assert widened(Int(1, 8, log=True), "low") is None
    momentum = Float(0.5, 0.99)
    grown = within_limits("momentum", widened(momentum, "high"), momentum)
    assert grown is not None
    assert 0.99 < grown.high < 1


@pytest.mark.parametrize(
    ("distribution", "low", "high", "expected"),
    [
        (Float(1e-3, 0.66666, log=True, hard=True), 1e-3, 0.66666, (1e-3, 0.66666)),
        (Float(0.9, 0.99999), 0.9, 0.99999, (0.9, 0.99999)),
        (Float(0.1, 0.9), 0.123444, 0.87654, (0.123444, 0.8765)),
        (Float(0.1, 0.9), 0.123461, 0.123469, (0.123461, 0.123469)),
    ],
)
def test_ends_are_not_rounded_outward(distribution, low, high, expected):
    found = ranged(distribution, low, high)

    assert (found.low, found.high) == expected


def test_the_fine_box_of_an_incumbent_outside_the_range_lies_at_its_end():
    order = at_rates((10.0,), (0.9,))

    box, _ = narrowed(LR, order, relevance(LR, [], epochs=5))

    assert (box["lr"].low, box["lr"].high) == (pytest.approx(0.316, abs=1e-3), 1.0)


def test_the_fine_box_holds_the_best_with_margin():
    trials = searched(lambda params: 0.9 - 0.1 * abs(math.log10(params["lr"]) + 2))
    order = ranked(trials, TASK)
    box, fixed = narrowed(SPACE, order, relevance(SPACE, observed(trials), epochs=20))
    lr = box["lr"]
    assert isinstance(lr, Float)
    assert lr.low < 1e-2 < lr.high
    assert math.log10(lr.high / lr.low) < 2.5
    for each in order[:4]:
        assert lr.holds(each.trial.params["lr"])
    assert fixed["activation"] == order[0].trial.params["activation"]


def test_the_coarse_box_is_step_threes_interval():
    learned = {"lr_low": 1e-3, "lr_high": 1e-1, "lr_best": 1e-2, "lr_too_high": 0.3}
    lr = coarse_space(SPACE, learned)["lr"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high) == pytest.approx((1e-3 / math.sqrt(10), 0.3), rel=1e-3)
    hard = SPACE.replace(lr=Float(1e-2, 0.2, log=True, hard=True))
    lr = coarse_space(hard, learned)["lr"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high) == (1e-2, 0.2)
    assert coarse_space(SPACE, {}) == SPACE


def repeats(values, label, *, first):
    return [
        trial(
            first + at,
            [0.1, value],
            purpose=TrialPurpose.REPEAT,
            label=label,
            seed=at,
            params={"lr": first / 100},
        )
        for at, value in enumerate(values)
    ]


def test_settings_within_noise_are_tied_and_others_are_not():
    trials = [
        *repeats([0.80, 0.82, 0.81], "repeat of 1", first=10),
        *repeats([0.81, 0.80, 0.80], "repeat of 2", first=20),
        *repeats([0.40, 0.41, 0.42], "repeat of 3", first=30),
    ]
    settings = finalists(trials, TASK, TrialPurpose.REPEAT)
    assert [each.trial for each in settings] == [10, 20, 30]
    assert [each.trial for each in tied_with(settings[0], settings[1:], metric="accuracy")] == [20]
    assert pooled_sd(settings) == pytest.approx(0.0088, abs=1e-3)


def test_a_seed_that_diverged_makes_a_setting_the_last():
    trials = repeats([0.9, 0.9], "repeat of 1", first=10)
    trials += repeats([0.5, 0.5], "repeat of 2", first=20)
    outcome = trials[0].outcome.model_copy(update={"cause": TrialCause.DIVERGED})
    trials[0] = trial(10, [], outcome=outcome, purpose=TrialPurpose.REPEAT, label="repeat of 1")
    settings = finalists(trials, TASK, TrialPurpose.REPEAT)
    assert [each.label for each in settings] == ["repeat of 2", "repeat of 1"]
    assert settings[1].score == -math.inf


def test_of_equal_means_the_setting_that_was_there_first_stands_first():
    first, second = [0.3, 0.2, 0.1], [0.1, 0.2, 0.3]  # their sums differ in the last bit
    assert sum(first) < sum(second)
    trials = [*repeats(first, "first", first=0), *repeats(second, "second", first=3)]
    settings = finalists(trials, TASK, TrialPurpose.REPEAT)
    assert [each.label for each in settings] == ["first", "second"]


def test_seeds_that_agree_by_chance_do_not_make_noise_nothing():
    a, b = finalists(
        [
            *repeats([0.8, 0.8], "repeat of 1", first=10),
            *repeats([0.79, 0.79], "repeat of 2", first=20),
        ],
        TASK,
        TrialPurpose.REPEAT,
    )
    assert noise_between(a, b, pooled_sd([a, b]), metric="accuracy") > 0.01


def _champion(*rounds):
    """The label the study stands by: of each round the settings by label, with their seeds."""
    trials, first = [], 10
    for number, settings in enumerate(rounds, 1):
        for label, values in settings.items():
            trials += [
                dataclasses.replace(each, round=number)
                for each in repeats(values, label, first=first)
            ]
            first += len(values)
    found = finalists(trials, TASK, TrialPurpose.REPEAT)
    return standing(found, metric="accuracy")[0].label


def test_fewer_seeds_with_a_higher_mean_do_not_take_the_place_of_more():
    three = {"first": [0.870, 0.880, 0.874]}
    assert _champion(three, {"one seed": [0.880]}) == "first"
    assert _champion(three, {"far better": [0.97]}) == "far better"


def test_a_later_setting_within_noise_does_not_take_the_place_of_an_earlier():
    first = {"worse": [0.80, 0.81], "first": [0.82, 0.83]}
    assert _champion(first, {"later": [0.83, 0.84]}) == "first"
    better = {"better": [0.92, 0.93]}
    assert _champion(first, better, {"later": [0.93, 0.94]}) == "better"


@pytest.mark.parametrize(("gain", "label"), [(0.025, "first"), (0.04, "later")])
def test_one_standard_error_of_the_difference_is_what_a_later_setting_must_win_by(gain, label):
    # 300 shared samples: one standard error is 0.031.
    assert _champion({"first": [0.82, 0.83]}, {"later": [0.82 + gain, 0.83 + gain]}) == label


def test_a_setting_that_lost_a_seed_is_replaced_by_one_that_did_not():
    trials = repeats([0.9, 0.9], "first", first=10)
    outcome = trials[0].outcome.model_copy(update={"cause": TrialCause.DIVERGED})
    trials[0] = dataclasses.replace(trials[0], outcome=outcome)
    trials += [dataclasses.replace(each, round=2) for each in repeats([0.5], "later", first=20)]
    found = finalists(trials, TASK, TrialPurpose.REPEAT)
    assert [each.label for each in standing(found, metric="accuracy")] == ["later", "first"]


def test_an_integer_range_stays_whole():
    wider = widened(Int(3, 5), "high")
    assert isinstance(wider, Int)
    assert wider.high == 7
