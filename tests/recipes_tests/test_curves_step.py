"""Step 6: which curves it reads, when it probes, and what it says of a whole study."""

import dataclasses
import json
import math

import numpy as np
import pytest

from recipes.budget import Budget, BudgetState, Spent
from recipes.result import Best, Result
from recipes.step import StepReport, StepState
from recipes.steps.curves import PROBE_LABEL, Curves
from recipes.trial import TrialCause, TrialPurpose
from tests.recipes_tests.builders import context, description
from tests.recipes_tests.curve_builders import falling, healthy_trial, read_trial

STEP = Curves()


def study(*search, probes=(), learned=None, **fields):
    """The context of step 6 after a search."""
    given = context(probes, learned={"initial_loss": 2.3, "overfit_lr": 0.1, **(learned or {})})
    return dataclasses.replace(given, search=search, **fields)


def judged(*search, **fields):
    return STEP.judge(study(*search, **fields))


def studied(report):
    """Codes of the study's own findings."""
    return [finding.code for finding in report.findings if finding.trial is None]


def stuck(number=0, **fields):
    """Level at 75 %, with a snapshot of its best epoch; probing may pay."""
    given = {
        "train_loss": falling(2.3, 0.8, 20, half_life=0.7),
        "val_loss": falling(2.3, 0.82, 20, half_life=0.7),
        "train": falling(0.1, 0.75, 20, half_life=0.7),
        "val": falling(0.1, 0.74, 20, half_life=0.7),
        "losses": falling(2.3, 0.8, 399, half_life=15),
        "snapshot_epoch": 12,
    }
    return healthy_trial(number, **{**given, **fields})


def overfitted(number=0, **fields):
    given = {
        "train": falling(0.1, 1, 20),
        "val": falling(0.1, 0.8, 20),
        "params": {"lr": 0.1 / (1 + number)},
    }
    return healthy_trial(number, **{**given, **fields})


def named_best(trial):
    """A report of step 5 that names the best trial."""
    best = Best(
        trial=trial.number,
        params=dict(trial.params),
        metric="accuracy",
        direction="maximize",
        value=0.9,
        standard_error=0.01,
        n=300,
        num_candidates=2,
    )
    finished = judged(trial)
    return finished.model_copy(
        update={
            "number": 5,
            "learned": {},
            "findings": (),
            "result": Result(best=best),
        }
    )


def test_a_healthy_study_passes():
    report = judged(healthy_trial(0), overfitted(1))

    assert report.verdict is StepState.PASSED, report.sentence
    assert report.sentence.startswith("Healthy over 20 epochs")
    assert report.learned["curve_findings"] == ["healthy"]
    assert report.evidence["trial"] == 0
    assert report.action.kind == "continue"


def test_an_overfitting_study_is_warned_and_counted():
    settled = falling(0.1, 0.7, 20)
    other = healthy_trial(2, val=settled, train=settled, params={"lr": 1e-3})
    report = judged(overfitted(0), overfitted(1), other)

    assert report.verdict is StepState.WARNING
    assert report.learned["curve_findings"] == ["overfitting"]
    assert "2 of 3 trials with 8 epochs or more show it." in report.sentence
    assert "These are the curves of trial 0, accuracy 79.9 % ± 1.3" in report.sentence
    assert "weight decay" in report.action.sentence
    counted = report.findings[0].evidence
    assert (counted["num_trials_showing"], counted["num_trials"]) == (2, 3)


def test_too_little_is_inconclusive_and_says_what_is_missing():
    report = judged(healthy_trial(epochs=3, losses=()))

    assert report.verdict is StepState.INCONCLUSIVE
    assert (
        "overfitting, underfitting and still improving need 8 epochs (it has 3)" in report.sentence
    )
    assert report.learned["curve_findings"] == ["inconclusive"]


def test_nothing_to_read_is_inconclusive():
    gone = read_trial(losses=(2.3, math.nan), cause=TrialCause.NON_FINITE)

    for report in (judged(), judged(gone)):
        assert report.verdict is StepState.INCONCLUSIVE
        assert "no curves to read" in report.sentence
        assert report.findings == ()
    assert STEP.plan(study()).jobs == ()


def test_an_error_fails_the_step():
    report = judged(healthy_trial(val=falling(0.1, 0.02, 20)))

    assert report.verdict is StepState.FAILED
    assert report.learned["curve_findings"] == ["val_below_chance"]


def test_few_validation_samples_lead_where_they_decide():
    def of(n):
        trials = (healthy_trial(at, n_val=n, params={"lr": 10.0**-at}) for at in range(3))
        return judged(*trials)

    assert of(60).learned["curve_findings"] == ["small_validation_set"]
    assert "60 validation samples are few" in of(60).sentence
    assert "2 of 2 other trials lie that close" in of(60).sentence
    assert of(250).learned["curve_hints"] == ["small_validation_set"]
    assert of(2_000).learned["curve_hints"] == []


def test_all_right_on_few_samples_is_not_certain():
    perfect = np.concatenate(([0.1], np.ones(20)))
    report = judged(
        *(healthy_trial(at, val=perfect, train=perfect, n_val=40) for at in range(2)),
    )

    (finding,) = [each for each in report.findings if each.code == "small_validation_set"]
    assert finding.severity == "warning"
    assert finding.evidence["standard_error"] == pytest.approx(0.031, abs=0.002)


def test_few_samples_do_not_matter_where_nothing_is_learned():
    poor = stuck(val=falling(0.1, 0.3, 20), train=falling(0.1, 0.3, 20), n_val=360)

    assert judged(poor).learned["curve_findings"] == ["underfitting"]


def test_the_leading_trial_is_the_one_the_search_named():
    named, best = overfitted(0), healthy_trial(1, val=falling(0.1, 0.99, 20))

    assert judged(named, best).evidence["trial"] == 1
    assert judged(named, best, history=[named_best(named)]).evidence["trial"] == 0


def test_runs_of_one_setting_speak_by_majority():
    good = [healthy_trial(at, purpose=TrialPurpose.REPEAT) for at in (0, 1)]
    odd = overfitted(2, purpose=TrialPurpose.REPEAT, params={"lr": 0.1})

    assert judged(*good, odd).learned["curve_findings"] == ["healthy"]
    assert judged(good[0], odd, overfitted(3, params={"lr": 0.1})).learned["curve_findings"] == [
        "overfitting"
    ]


def test_findings_on_single_trials_name_them():
    diverged = read_trial(7, losses=(2.3, 9.0), cause=TrialCause.DIVERGED, params={"lr": 1.0})
    report = judged(overfitted(0), healthy_trial(1, val=falling(0.1, 0.5, 20)), diverged)

    about = {(finding.trial, finding.code) for finding in report.findings}
    assert (0, "overfitting") in about
    assert (7, "diverged") in about
    assert (None, "overfitting") in about
    assert "diverged" not in studied(report)


def test_a_long_list_of_trials_is_cut():
    many = [
        overfitted(
            at, params={"lr": 10.0 ** (-at / 10)}, val_loss=falling(2.3, 0.5 + at / 100, 20)
        )
        for at in range(40)
    ]
    gone = [
        read_trial(40 + at, losses=(2.3, 9.0), cause=TrialCause.DIVERGED, params={"lr": 1.0 + at})
        for at in range(20)
    ]
    report = judged(*many, *gone)

    about = [finding.trial for finding in report.findings if finding.trial is not None]
    assert len({number for number in about if number < 40}) == 10
    assert len({number for number in about if number >= 40}) == 10


def test_other_rounds_are_peers_but_not_read():
    earlier = overfitted(0, round_number=1, params={"lr": 1e-3})
    now = healthy_trial(1, round_number=2)
    report = judged(earlier, now, round=2)

    assert report.evidence["num_trials"] == 1
    assert {finding.trial for finding in report.findings} == {None, 1}


# The probe


def test_a_plateau_is_probed_at_a_tenth_of_the_rate():
    plan = STEP.plan(study(stuck()))

    (job,) = plan.jobs
    run = job.run_spec([5])
    assert run.epochs == 2
    assert run.evaluate == ("train", "val")
    (member,) = run.members
    assert member.snapshots == (0,)
    assert member.params["lr"] == pytest.approx(1e-2)
    assert member.params["weight_decay"] == 1e-4
    assert job.trials[0].purpose is TrialPurpose.PROBE
    assert "Train trial 0's best weights for 2 epochs at 1e-2" in plan.sentence


@pytest.mark.parametrize(
    "trial",
    [
        healthy_trial(snapshot_epoch=12),
        stuck(snapshot_epoch=None),
        stuck(params={"schedule": "cosine"}),
        stuck(state="pruned", cause=TrialCause.EARLY_DISCARD),
    ],
    ids=["fitted", "no snapshot", "decayed", "cut off"],
)
def test_no_probe_where_it_tells_nothing(trial):
    assert STEP.plan(study(trial)).jobs == ()


def test_no_probe_without_budget():
    spent = BudgetState(Budget(epochs=100), Spent(epochs=84.5))

    assert STEP.plan(study(stuck(), budget=spent)).jobs == ()
    assert STEP.plan(study(stuck(), budget=BudgetState(Budget(epochs=200)))).jobs


def probe(train_after, val_after=0.7, val=0.78):
    return read_trial(
        5,
        purpose=TrialPurpose.PROBE,
        label=PROBE_LABEL,
        step=6,
        train_loss=(0.8, train_after, train_after),
        val_loss=(0.82, val_after, val_after),
        train=(0.75, 0.8, 0.8),
        val=(0.74, val, val),
        params={"lr": 1e-2},
    )


def test_the_probe_is_planned_once_and_read():
    confirmed = study(stuck(), probes=[probe(0.6)])
    refuted = study(stuck(), probes=[probe(0.799)])

    assert STEP.plan(confirmed).jobs == ()
    report = STEP.judge(confirmed)
    assert report.learned["curve_findings"] == ["lr_too_high"]
    assert report.evidence["probe"] == "confirmed"
    report = STEP.judge(refuted)
    assert report.learned["curve_findings"] == ["underfitting"]
    assert report.evidence["probe"] == "refuted"
    assert "did not help" in report.sentence


def test_a_later_round_remembers_the_probe():
    first = STEP.judge(study(stuck(), probes=[probe(0.6)]))
    stored = StepReport.model_validate_json(first.model_dump_json())
    later = study(stuck(), history=[stored], round=2)

    assert STEP.plan(later).jobs == ()
    assert STEP.judge(later).learned["curve_findings"] == ["lr_too_high"]


def test_a_probe_that_failed_counts_as_none():
    failed = read_trial(5, label=PROBE_LABEL, state="failed", cause=TrialCause.ERROR)

    assert judged(stuck(), probes=[failed]).evidence["probe"] is None


# The report


def test_figures_show_the_leading_trial():
    loss, metric = judged(healthy_trial(3)).figures

    assert [series.name for series in loss.series] == ["train", "val", "lowest validation loss"]
    assert loss.series[2].x == (20,)
    assert "trial 3" in metric.title
    assert len(metric.series[1].errors) == len(metric.series[1].y) == 21


def test_a_task_without_a_metric_has_one_figure():
    task = description(kind="custom", num_classes=None, metric="loss", direction="minimize")
    given = study(healthy_trial(train=(), val=()))
    report = STEP.judge(dataclasses.replace(given, description=task))

    assert [figure.name for figure in report.figures] == ["curves_loss"]
    assert report.evidence["metric"] == "loss"


def test_the_report_is_the_same_twice_and_survives_json():
    trials = [stuck(), overfitted(1), healthy_trial(2, val=falling(0.1, 0.7, 20))]
    given = study(*trials, probes=[probe(0.6)])
    report = STEP.judge(given)

    assert report == STEP.judge(given)
    assert StepReport.model_validate(json.loads(report.model_dump_json())) == report
