"""The experiments that tell causes apart: which is planned, and what a finding says after."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from recipes import Float, Task
from recipes.budget import Budget, BudgetState, Spent
from recipes.experiments.larger_batch import LargerBatch
from recipes.experiments.other_seed import OtherSeed
from recipes.finding import Cause, Finding, Severity
from recipes.outcome import ModeLosses
from recipes.step import StepReport, StepState
from recipes.steps.curves import PROBE_LABEL, Curves
from recipes.trial import TrialPurpose
from tests.acceptance_tests.small_study import EXPERIMENTS
from tests.acceptance_tests.tasks import HardlyApart
from tests.in_process import Study, run_study
from tests.recipes_tests.builders import context, description
from tests.recipes_tests.curve_builders import falling, healthy_trial, read_trial

STEP = Curves()
SWINGING = falling(0.1, 0.9, 20) + np.concatenate((np.zeros(10), np.tile([0.04, -0.04], 6)[:11]))


def study(*search, probes=(), **fields):
    given = context(probes, learned={"initial_loss": 2.3, "overfit_lr": 0.1})
    return dataclasses.replace(given, search=search, **fields)


def swinging(number=0, **fields):
    """A run whose validation accuracy swings by four points, with all else in order."""
    given = {
        "val": SWINGING,
        "snapshot_epoch": 12,
        "params": {"lr": 0.1, "batch_size": 32},
    }
    return healthy_trial(number, **{**given, **fields})


def of_code(report, code):
    (finding,) = [each for each in report.findings if each.code == code and each.trial is None]
    return finding


# Larger batches


def test_a_swing_is_tried_with_larger_batches_from_the_best_weights():
    (job,) = STEP.plan(study(swinging())).jobs
    run = job.run_spec([7])

    assert run.epochs == 10
    (member,) = run.members
    assert member.snapshots == (0,)
    assert member.params == {"lr": 0.1, "batch_size": 128, "weight_decay": 1e-4}
    assert job.trials[0].purpose is TrialPurpose.PROBE


def rerun(amplitude, number=7):
    """Ten epochs with batches of 128 whose accuracy swings so."""
    val = np.concatenate(([0.9], 0.9 + np.tile([amplitude, -amplitude], 5)))
    return read_trial(
        number,
        label="larger_batch oscillation",
        purpose=TrialPurpose.PROBE,
        step=6,
        val=val,
        val_loss=np.full(11, 0.1),
        train=val,
        train_loss=np.full(11, 0.05),
        params={"lr": 0.1, "batch_size": 128},
    )


def test_a_swing_that_falls_with_the_batch_is_the_batch():
    report = STEP.judge(study(swinging(), probes=[rerun(0.02)]))
    finding = of_code(report, "oscillation")

    assert finding.causes[0].code == "small_batch"
    assert "batches of 128 instead of 32 (trial 7)" in finding.sentence
    assert finding.evidence["noise_left"] == pytest.approx(0.5, abs=0.05)
    assert finding.changes[0].name == "batch_size"
    assert report.evidence["num_experiments"] == 1


def test_a_swing_that_stays_is_the_rate():
    before = of_code(STEP.judge(study(swinging())), "oscillation")
    finding = of_code(STEP.judge(study(swinging(), probes=[rerun(0.04)])), "oscillation")

    assert [cause.code for cause in finding.causes] == ["lr_high_late", "small_batch"]
    assert finding.causes[1].confidence < before.causes[1].confidence
    assert "the steps are too large" in finding.sentence
    assert [each.value for each in finding.changes] == ["cosine"]


def test_an_experiment_is_made_once_and_remembered_in_later_rounds():
    done = study(swinging(), probes=[rerun(0.02)])
    assert STEP.plan(done).jobs == ()
    stored = StepReport.model_validate_json(STEP.judge(done).model_dump_json())
    later = study(swinging(), history=[stored], round=2)

    assert STEP.plan(later).jobs == ()
    assert of_code(STEP.judge(later), "oscillation").causes[0].code == "small_batch"
    assert STEP.judge(later).evidence["num_experiments"] == 0


def test_an_experiment_that_failed_leaves_the_finding_as_it_was():
    failed = read_trial(7, label="larger_batch oscillation", state="failed", cause="error")
    given = study(swinging(), probes=[failed])

    assert STEP.plan(given).jobs == ()
    finding = of_code(STEP.judge(given), "oscillation")
    assert finding.causes[0].code == "lr_high_late"
    assert "experiment" not in finding.evidence


def test_no_experiment_beyond_the_budget():
    spent = BudgetState(Budget(epochs=100), Spent(epochs=76))
    enough = BudgetState(Budget(epochs=100), Spent(epochs=74))

    assert STEP.plan(study(swinging(), budget=spent)).jobs == ()
    assert STEP.plan(study(swinging(), budget=enough)).jobs


def test_no_third_experiment_in_a_round():
    drop = read_trial(6, label=PROBE_LABEL, state="failed", cause="error")
    other = read_trial(7, label="other_seed flat_then_drop", state="failed", cause="error")

    assert STEP.plan(study(swinging(), probes=[drop])).jobs
    assert STEP.plan(study(swinging(), probes=[drop, other])).jobs == ()


@pytest.mark.parametrize(
    "trial",
    [
        swinging(params={"lr": 0.1, "batch_size": 900}),
        swinging(params={"lr": 0.1, "batch_size": 32, "schedule": "cosine"}),
    ],
    ids=["all of the data nearly", "decayed"],
)
def test_no_larger_batch_where_it_tells_nothing(trial):
    """Then another seed is the cheapest that is left."""
    (job,) = STEP.plan(study(trial)).jobs

    assert job.trials[0].label == "other_seed oscillation"
    assert job.trials[0].snapshots == ()
    assert job.settings["epochs"] == 20


def test_scatter_that_the_samples_do_not_make_is_the_steps():
    finding = noisy()
    share = {"noise_before": 0.4, "before": 16, "after": 64, "probe": 5, "of": 0}
    fell = LargerBatch(code="noisy_loss", noise_after=0.21, **share).revise(finding)
    stayed = LargerBatch(code="noisy_loss", noise_after=0.38, **share).revise(finding)

    assert fell.causes[0].code == "small_batch"
    assert stayed.causes[0].code == "lr_high"
    assert LargerBatch(code="oscillation", noise_after=0.1, **share).revise(finding) == finding


def noisy(**fields):
    given = {
        "code": "noisy_loss",
        "severity": Severity.INFO,
        "confidence": 0.6,
        "sentence": "It scatters.",
        "causes": (
            Cause(code="small_batch", sentence="Small.", confidence=0.6),
            Cause(code="mixed_samples", sentence="Mixed.", confidence=0.4),
        ),
        "action": "Larger batches.",
        "source": "here",
    }
    return Finding.model_validate({**given, **fields})


# Another seed


def seeds(num_showing, runs=(3, 4)):
    return OtherSeed(
        of=0,
        code="noisy_loss",
        runs=runs,
        num_showing=num_showing,
        metric="accuracy",
        value_before=0.7,
        values=(0.7,) * len(runs),
    )


def test_what_other_seeds_show_too_is_the_setting():
    finding = seeds(2).revise(noisy())
    assert finding.confidence > 0.6
    assert finding.causes == noisy().causes
    assert "trials 3 and 4" in finding.sentence
    assert "2 of 2 runs show it too" in finding.sentence


def test_what_no_other_seed_shows_is_this_one():
    finding = seeds(0).revise(noisy())
    assert finding.confidence == pytest.approx(0.3)
    assert finding.causes[0].code == "seed"
    assert finding.changes == ()


def test_runs_of_the_search_with_other_seeds_are_read_for_nothing():
    """Step 5 repeats its finalists: then there is nothing to train."""
    given = study(
        swinging(0, params={"lr": 0.1, "batch_size": 900}),
        swinging(1, params={"lr": 0.1, "batch_size": 900}, purpose=TrialPurpose.REPEAT),
    )
    assert STEP.plan(given).jobs == ()
    finding = of_code(STEP.judge(given), "oscillation")
    assert "1 of 1 run shows it too" in finding.sentence
    assert finding.evidence["num_other_seeds_showing"] == 1


# Train mode against eval mode


def small_batches(losses):
    task = description(has_batch_norm=True)
    trial = healthy_trial(params={"lr": 0.1, "batch_size": 4}, mode_losses=losses)
    given = study(trial)
    report = STEP.judge(dataclasses.replace(given, description=task))
    return of_code(report, "batch_norm_small_batch")


def test_small_batches_under_batch_norm_are_weighed_by_the_mode():
    unknown = small_batches(None)
    harmless = small_batches(ModeLosses(train=0.2, eval=0.205, eval_again=0.205, n=500))
    harmful = small_batches(ModeLosses(train=0.2, eval=0.26, eval_again=0.26, n=500))

    assert harmless.confidence < unknown.confidence <= harmful.confidence
    assert "so far the averages follow" in harmless.sentence
    assert "30 % more: the averages do not follow" in harmful.sentence


# Real training


class Lottery(Task):
    """A model some of whose starts cannot learn: their last layer begins with so little that
    no gradient passes it, in a layer of its own kind so that no rescue draws it anew."""

    num_classes = 3
    space = {"lr": Float(1e-3, 1.0, log=True), "init": Float(0, 1)}

    def __init__(self, share_dead):
        self.share_dead = share_dead
        self.space = {"lr": Float(1e-3, 1.0, log=True)}

    def data(self, split):
        if split == "test":
            return None
        generator = torch.Generator().manual_seed(len(split))
        inputs = torch.randn(240, 4, generator=generator)
        return inputs, inputs[:, :3].argmax(1)

    def model(self, params):
        return nn.Sequential(
            nn.Linear(4, 32), nn.Tanh(), Gate(torch.rand(()) < self.share_dead), nn.Linear(32, 3)
        )


class Gate(nn.Module):
    """Lets nothing through where it is closed, and so little back that it stays so."""

    def __init__(self, is_closed):
        super().__init__()
        self.opening = nn.Parameter(torch.tensor(1e-30 if is_closed else 1.0))

    def forward(self, inputs):
        return inputs * self.opening**2


def second_step(share_dead, seed):
    fixed = {"init": "default", "optimizer": "sgd"}
    report = run_study(Lottery(share_dead), steps=(1, 2), seed=seed, fixed=fixed)[-1]
    assert report.number == 2, report.sentence
    return report


def test_a_start_that_is_dead_by_bad_luck_is_told_from_a_setting_that_is():
    always = second_step(1.0, 0)
    assert always.verdict is StepState.FAILED
    assert "so it is not the start" in of_code(always, "stuck_at_chance").sentence

    unlucky = second_step(0.5, 0)
    finding = of_code(unlucky, "stuck_at_chance")
    assert "the setting can learn, this start could not" in finding.sentence
    assert finding.causes[0].code == "seed"
    assert [each.name for each in finding.changes] == ["init"]
    assert unlucky.verdict is StepState.WARNING
    assert unlucky.learned["overfit_lr"] == 1e-2


def whole(seed):
    study = Study(HardlyApart(), seed=seed, **EXPERIMENTS)
    return study, study.run()


def test_a_whole_study_with_experiments_has_equal_reports():
    (first, reports), (second, again) = whole(0), whole(0)
    assert [each.model_dump(exclude={"measured"}) for each in reports] == [
        each.model_dump(exclude={"measured"}) for each in again
    ]
    drop, rerun = [each for each in first.trials.values() if each.step == 6]
    assert (drop.label, rerun.label) == ("lr_drop", "larger_batch noisy_loss")
    assert rerun.params["batch_size"] == 8
    assert reports[-1].evidence["num_experiments"] == 2
    finding = of_code(reports[-1], "noisy_loss")
    assert f"with batches of 8 instead of 2 (trial {rerun.number})" in finding.sentence
    assert 0.25 < finding.evidence["noise_left"] < 1.0
    assert second.trials.keys() == first.trials.keys()
    assert "with no hyperparameter searched; seeds differ" in reports[0].sentence  # all is fixed
