"""Steps 4 to 7 on planted truths: what must be found, refuted, kept within a budget."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from recipes.hypothesis import EffectKind
from recipes.loop.conclusion import left_out
from recipes.space import Float, SearchSpace
from recipes.step import StepState
from recipes.trial import TrialPurpose, TrialState
from tests.recipes_tests.builders import context, trial
from tests.simulated import Simulated
from tests.whole_study import sentences

LR = Float(1e-4, 1e-2, log=True)
DECAY = Float(1e-6, 1e-1, log=True, zero=True)
SPACE = SearchSpace({"lr": LR, "weight_decay": DECAY})


def peak(at, *, height=0.9, schedule=0.0):
    """Accuracy with one peak in log(lr), ``schedule`` better with a decayed rate."""

    def accuracy(params, share, seed):
        lr = float(params["lr"])
        if lr > 1000 * at:
            return math.nan
        gain = 0.0 if params.get("schedule", "constant") == "constant" else schedule
        return 0.1 + max(0.0, height + gain - 0.1 - 0.1 * math.log10(lr / at) ** 2) * share

    return accuracy


def shape(study):
    """All that equal studies share."""
    return [
        (each.number, each.round, each.pass_number, each.sentence, each.verdict)
        for each in study.history
    ] + [
        (each.number, dict(each.params), each.outcome.state, each.seed)
        for each in study.trials.values()
    ]


@pytest.mark.parametrize("seed", range(3))
def test_an_optimum_two_decades_outside_a_soft_range_is_found(seed):
    study = Simulated(peak(1.0), SPACE, seed=seed)
    report = study.run()[-1]
    assert report.result is not None, sentences(study.history)
    assert abs(math.log10(float(report.result.best.params["lr"]))) < 0.5
    assert len(study.of(4)) > 1
    assert "extend lr" in study.of(4)[0].action.sentence


@pytest.mark.parametrize("seed", range(3))
def test_a_hard_range_is_kept_and_said(seed):
    space = SPACE.replace(lr=Float(1e-4, 1e-2, log=True, hard=True))
    study = Simulated(peak(1.0), space, seed=seed)
    study.run()
    assert all(1e-4 <= float(each.params["lr"]) <= 1e-2 for each in study.trials.values())
    (finding,) = [each for each in study.of(4)[-1].findings if each.code == "best_at_edge"]
    assert "The range of lr is hard, so the search stays inside it." in finding.sentence
    assert finding.evidence["hard"] is True


def test_the_same_study_twice_is_the_same():
    studies = [Simulated(peak(3e-3), SPACE, seed=5) for _ in range(2)]
    for study in studies:
        study.run()
    assert shape(studies[0]) == shape(studies[1])
    other = Simulated(peak(3e-3), SPACE, seed=6)
    other.run()
    assert shape(studies[0]) != shape(other)


def test_a_change_that_helps_is_confirmed_and_kept():
    study = Simulated(peak(3e-3, height=0.7, schedule=0.15), SPACE)
    report = study.run()[-1]
    effects = {each.hypothesis.advice: each for each in report.result.effects}
    assert effects["schedule"].kind is EffectKind.CONFIRMED, sentences(study.history)
    assert effects["schedule"].gain > 0.1
    assert report.result.best.params["schedule"] == "cosine"


def test_a_change_that_likely_helps_is_kept_and_not_called_shown():
    study = Simulated(peak(3e-3, height=0.7, schedule=0.01), SPACE)
    report = study.run()[-1]
    first = report.result.effects[0]
    assert first.kind is EffectKind.LIKELY, sentences(study.history)
    assert first.noise / 2 < first.gain < first.noise
    assert "though not shown to help" in study.of(7)[1].sentence
    assert report.result.best.params["schedule"] == "cosine"


def test_a_change_that_does_not_help_is_refuted_and_taken_back():
    study = Simulated(peak(3e-3, height=0.7, schedule=-0.15), SPACE)
    report = study.run()[-1]
    first = report.result.effects[0]
    assert first.hypothesis.advice == "schedule"
    assert first.kind is EffectKind.REFUTED, sentences(study.history)
    assert "refuted" in study.of(7)[1].sentence
    assert report.result.best.params.get("schedule", "constant") == "constant"


def test_the_same_advice_is_not_given_a_third_time():
    study = Simulated(peak(3e-3, height=0.7, schedule=-0.15), SPACE, max_rounds=12)
    report = study.run()[-1]
    given = [each.advice for each in report.result.hypotheses]
    refuted = [
        each.hypothesis.advice for each in report.result.effects if each.kind is EffectKind.REFUTED
    ]
    assert refuted.count("schedule") == 2, given
    assert max(given.count(each) for each in given) <= 2
    assert study.following is not None
    assert study.following.reason in ("advice_exhausted", "no_gain")


def test_the_hypothesis_is_stored_before_its_round():
    study = Simulated(peak(3e-3), SPACE)
    study.run()
    first = study.of(7, round_number=1)[0].learned["hypothesis"]
    assert first["round"] == 2
    assert first["baseline"] == pytest.approx(study.of(5)[0].result.best.value)
    assert first["expected"] > 0
    assert study.of(7, round_number=2)[0].learned["new_effects"][0]["hypothesis"] == first


def test_the_incumbent_runs_first_and_is_compared_paired():
    incumbent = {"lr": 1e-4, "weight_decay": 0.0}
    study = Simulated(peak(3e-3), SPACE, incumbent=incumbent)
    report = study.run()[-1]
    first = study.trials[0]
    assert (first.label, dict(first.params)) == ("incumbent", incumbent)
    assert first.outcome.state is TrialState.COMPLETE  # never discarded early
    compared = report.result.incumbent
    assert compared is not None
    assert compared.params == incumbent
    assert compared.gain > 2 * compared.gain_standard_error > 0
    assert "better than" in compared.sentence
    assert report.result.test.incumbent_value < report.result.test.value


def test_an_incumbent_that_is_as_good_is_called_so():
    study = Simulated(peak(3e-3), SPACE, incumbent={"lr": 3e-3, "weight_decay": 0.0})
    result = study.run()[-1].result
    assert result.incumbent is not None
    assert "there is no reason to change" in result.incumbent.sentence
    if dict(result.best.params) != dict(result.incumbent.params):
        assert "within noise" in result.incumbent.sentence


def test_the_test_split_is_looked_at_once_and_by_final_runs_alone():
    study = Simulated(peak(3e-3), SPACE)
    report = study.run()[-1]
    looked = [
        each
        for each in study.trials.values()
        if any(seen.split == "test" for seen in each.outcome.at_best)
    ]
    assert {each.purpose for each in looked} == {TrialPurpose.FINAL}
    assert not any(
        seen.split == "test" for each in study.trials.values() for seen in each.outcome.evaluations
    )
    test = report.result.test
    assert test.num_seeds == 5
    assert test.average_of
    assert not test.seen


def test_the_value_is_the_mean_of_new_seeds_not_the_best_of_many():
    study = Simulated(peak(3e-3), SPACE, seed_sd=0.02)
    best = study.run()[-1].result.best
    finals = [each for each in study.trials.values() if each.label == "winner"]
    assert best.num_seeds == len(finals) == 5
    singles = [each for each in study.trials.values() if each.purpose is TrialPurpose.SEARCH]
    luckiest = max(each.outcome.on("val")[-1].metrics["accuracy"].mean for each in singles)
    assert best.value < luckiest
    assert best.num_candidates == len(singles)


def test_nothing_but_divergence_fails_step_four():
    study = Simulated(lambda params, share, seed: math.nan, SPACE)
    report = study.run()[-1]
    assert (report.number, report.verdict) == (4, StepState.FAILED)
    assert [each.code for each in report.findings] == ["many_diverged"]
    assert study.following is not None
    assert study.following.kind == "needs_action"


def test_a_space_with_nothing_to_search():
    study = Simulated(peak(3e-3), SearchSpace({"lr": LR}), set={"lr": 1e-3})
    assert study.run()[-1].result.best.params == {"lr": 1e-3}


@pytest.mark.parametrize("budget", [{"epochs": 150}, {"epochs": 600}, {"epochs": 3000}])
def test_a_budget_of_epochs_is_used_and_kept(budget):
    study = Simulated(peak(3e-3), SPACE, budget=budget)
    study.run()
    used = study.spent().epochs / budget["epochs"]
    assert 0.7 <= used <= 1.05, sentences(study.history)


@pytest.mark.parametrize("trials", [20, 60, 200])
def test_a_budget_of_trials_is_kept(trials):
    study = Simulated(peak(3e-3), SPACE, budget={"trials": trials})
    study.run()
    assert 0.5 * trials <= study.spent().trials <= 1.05 * trials, sentences(study.history)


def assert_rounds_are_tested(study):
    """Every round after the first was paid for with its repeats."""
    rounds = {each.round for each in study.of(5)}
    repeated = {
        each.round for each in study.trials.values() if each.purpose is TrialPurpose.REPEAT
    }
    effects = study.of(7)[-1].result.effects
    assert len(rounds) == 1 or repeated == rounds, sentences(study.history)
    assert all(each.kind is not EffectKind.UNTESTED for each in effects)


@pytest.mark.parametrize("trials", [32, 40, 64])
@pytest.mark.parametrize("incumbent", [{}, {"lr": 1e-4, "weight_decay": 0.0}])
def test_a_round_is_opened_only_where_its_repeats_are_paid(trials, incumbent):
    study = Simulated(peak(3e-3), SPACE, budget={"trials": trials}, incumbent=incumbent)
    study.run()
    assert_rounds_are_tested(study)
    assert any(each.purpose is TrialPurpose.REPEAT for each in study.trials.values())


class Slow(Simulated):
    """Training is a third of the time that passes."""

    def wall_seconds(self):
        return 3 * super().wall_seconds()


@pytest.mark.parametrize("seconds", [40, 90])
def test_where_little_of_the_time_is_training_rounds_keep_time_for_repeats(seconds):
    study = Slow(
        peak(3e-3),
        SPACE,
        budget={"wall_seconds": seconds},
        seconds_per_epoch=0.1,
        slots=2,
    )
    study.run()
    assert_rounds_are_tested(study)
    assert study.spent().wall_seconds <= 1.1 * seconds


def test_a_refuted_change_is_not_kept_however_lucky_it_was():
    study = Simulated(peak(3e-3, schedule=0.001), SPACE, seed_sd=0.02, budget={"epochs": 1500})
    study.run()
    kinds = []
    for before, after in pairwise(study.of(7)[:-1]):  # the last has the final runs
        (effect,) = after.result.effects[-1:]
        kinds.append(effect.kind)
        if effect.kind is EffectKind.REFUTED:
            assert after.result.best.trial == before.result.best.trial
            assert after.learned["base_plan"] == before.learned["base_plan"]
    assert EffectKind.REFUTED in kinds, sentences(study.history)


@pytest.mark.parametrize("seconds", [20, 60, 300])
@pytest.mark.parametrize("per_epoch", [0.1, 0.5])
def test_a_budget_of_seconds_is_used_and_kept(seconds, per_epoch):
    study = Simulated(
        peak(3e-3),
        SPACE,
        budget={"wall_seconds": seconds},
        seconds_per_epoch=per_epoch,
        slots=2,
    )
    study.run()
    used = study.spent().wall_seconds / seconds
    assert 0.7 <= used <= 1.05, sentences(study.history)


def test_a_handful_of_trials_widens_nothing():
    study = Simulated(peak(1.0), SPACE, budget={"epochs": 12})
    study.run()
    (coarse,) = study.of(4)
    assert coarse.verdict is StepState.INCONCLUSIVE, sentences(study.history)
    assert coarse.action.kind == "continue"


def test_a_budget_too_small_for_anything_says_so():
    study = Simulated(peak(3e-3), SPACE, budget={"epochs": 4})
    study.run()
    assert study.following is not None
    assert study.following.kind == "complete"
    assert study.following.reason == "budget"
    assert study.spent().epochs <= 8
    assert any("budget" in each for each in sentences(study.history)), sentences(study.history)
    assert StepState.INCONCLUSIVE in [each.verdict for each in study.history]


@pytest.mark.parametrize("budget", [{"trials": n} for n in (5, 8, 16)])
def test_what_is_said_to_be_left_out_was_left_out(budget):
    study = Simulated(peak(3e-3), SPACE, budget=budget)
    report = study.run()[-1]
    if report.result is None:
        return
    said = " ".join(report.result.not_tried)
    purposes = {each.purpose for each in study.trials.values()}
    has_repeats, has_finals = TrialPurpose.REPEAT in purposes, TrialPurpose.FINAL in purposes
    assert ("No setting was repeated" in said) == (not has_repeats and not has_finals)
    assert ("only then repeated" in said) == (not has_repeats and has_finals)
    assert ("The final runs were left out" in said) == (not has_finals)
    if report.number == 7 and report.result.best.num_seeds == 1:
        assert "larger budget" in report.action.sentence


def test_why_the_test_value_is_missing_is_said_once():
    why = "The test split could not be evaluated: IndexError: Target -1 is out of bounds"
    finals = [
        replace(trial(number, message=why), purpose=TrialPurpose.FINAL) for number in range(3)
    ]
    assert [each for each in left_out(context(finals)) if "could not" in each] == [f"{why}."]


@pytest.mark.parametrize("epochs", [20, 52, 84])
def test_a_wider_pass_without_trials_is_not_called_passed(epochs):
    study = Simulated(peak(1.0), SPACE, budget={"epochs": epochs})
    study.run()
    last = study.of(4)[-1]
    assert last.pass_number > 1
    assert not [
        each
        for each in study.trials.values()
        if each.step == 4 and each.pass_number == last.pass_number
    ]
    assert last.verdict is StepState.INCONCLUSIVE
    assert "left no trial for the wider range" in last.sentence


def test_what_cannot_be_bettered_ends_the_rounds():
    study = Simulated(lambda params, share, seed: 1.0, SPACE, seed_sd=0.0, budget={"epochs": 4000})
    study.run()
    last = study.of(7)[-1]
    assert last.round == 1
    assert "nothing can better it" in last.sentence
    assert last.learned["stop_reason"] == "perfect"


def test_an_incumbent_that_is_the_best_is_said_to_be():
    present = {"lr": 3e-3, "weight_decay": 0.0}

    def accuracy(params, share, seed):
        return 0.9 if dict(params) == present else 0.5

    study = Simulated(accuracy, SPACE, seed_sd=0.0, incumbent=present)
    report = study.run()[-1]
    assert report.result.incumbent.sentence.startswith("The incumbent is the best setting found")
