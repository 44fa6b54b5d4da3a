"""Step 2 fails for what is at fault: what step 1 found explains it, and small batches do not."""

import pytest

from recipes.description import SplitDescription
from recipes.rules.overfit_causes import WHY
from recipes.step import StepState
from recipes.steps.initial_loss import InitialLoss
from recipes.steps.lr_finder import LrFinder
from recipes.steps.overfit_sample import OWN, ZEROED, OverfitSample
from tests.recipes_tests.builders import context, description, evaluation, trial

CHANCE = [2.31, *[2.3] * 120]


def found_in_step_one(code):
    """Step 1's report with a warning of that code."""
    report = InitialLoss().judge(context())
    failed = OverfitSample().judge(context([trial(label=OWN, losses=CHANCE)]))
    warning = failed.findings[0].model_copy(update={"code": code, "severity": "warning"})
    return report.model_copy(update={"findings": (warning,)})


@pytest.mark.parametrize("code", WHY)
def test_a_sample_is_not_memorised_for_what_step_one_found(code):
    runs = [trial(label=OWN, losses=CHANCE), trial(9, label=ZEROED, losses=CHANCE)]
    report = OverfitSample().judge(context(runs, history=[found_in_step_one(code)]))

    (cannot,) = [each for each in report.findings if each.code == "cannot_overfit"]
    assert cannot.causes[0].code == code
    assert code in cannot.action
    assert "ignores_input" not in [each.code for each in report.findings]


def test_inputs_on_another_scale_are_not_too_few():
    """No rate helps, and two standard errors on validation exceed the fall in training."""
    on = (
        SplitDescription(name="val", num_samples=300, origin="task", input_mean=0.1, input_sd=0.9),
        SplitDescription(
            name="val", num_samples=300, origin="task", input_mean=25.0, input_sd=25.0
        ),
    )
    train = SplitDescription(
        name="train", num_samples=1000, origin="task", input_mean=0.0, input_sd=1.0
    )
    runs = [
        trial(
            losses=[2.31, *[1.5] * 30],
            evaluations=(evaluation("val", 0, 40.0, sd=90.0), evaluation("val", 100, 41.0, sd=90)),
        )
    ]
    same, other = (
        LrFinder().judge(context(runs, task=description(splits=(train, val)))) for val in on
    )

    assert "small_validation_set" in [each.code for each in same.findings]
    assert "small_validation_set" not in [each.code for each in other.findings]
    assert other.verdict is StepState.FAILED


@pytest.mark.parametrize(("batch", "used"), [(2, 32), (8, 32), (16, 16)])
def test_a_sample_is_memorised_in_batches_that_hold_a_good_part_of_it(batch, used):
    plan = OverfitSample().plan(context(fixed={"batch_size": batch}))

    assert {each.params["batch_size"] for job in plan.jobs for each in job.trials} == {used}
