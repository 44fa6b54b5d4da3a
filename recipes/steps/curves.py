"""Step 6: what do the curves say of the best setting, and of the others?

CS231n: look at the loss curves, at train against validation accuracy, at the size of the
updates. Every finding names the cheapest experiment that would separate its causes; the
cheapest ones this step carries out itself where it matters: the LR-drop probe, a rerun with
larger batches, one with another seed (``recipes.experiments``). Train mode against eval mode
is measured with every run, and only read here.
"""

from __future__ import annotations

from typing import ClassVar

from recipes.evidence.lr_drop import DROP, PROBE_EPOCHS
from recipes.evidence.study_curves import StudyCurves, has_finished, leading_trial, study_curves
from recipes.evidence.sufficiency import is_enough
from recipes.experiments.planning import next_experiment, revise, shown
from recipes.finding import Finding, Severity
from recipes.readings import NOTES, StudyReading, read
from recipes.search.allowance import AFTER_ROUNDS, allowance
from recipes.search.runs import job_plans
from recipes.seeds import derive_seed
from recipes.step import (
    Action,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
    TrialPlan,
    TrialResult,
)
from recipes.steps.curve_figures import curve_figures
from recipes.steps.verdict import leading_sentence, step_report, verdict_of
from recipes.trial import TrialPurpose
from recipes.words import listing, plural, rate

PROBE_LABEL = "lr_drop"

PROBED = frozenset(
    {
        "lr_too_high",
        "underfitting",
        "oscillation",
        "dead_relu",
        "saturated_activation",
        "update_ratio_high",
    }
)
"""Findings of which the learning rate is a cause that the probe would confirm or rule out."""

FITTED = 0.99
"""Accuracy or R² on training samples from which a lower rate has nothing left to find."""


class Curves(Step):
    """Step 6. Plans at most two experiments; learns the leading findings, for step 7."""

    kind = StepKind.CURVES
    reads_search: ClassVar[bool] = True
    reads_curves: ClassVar[bool] = True

    def plan(self, context: StepContext) -> StepPlan:
        """One experiment on the leading trial, when its outcome would change the advice.

        The LR-drop probe comes first, for it is the cheapest.
        """
        leader = leading_trial(context)
        study = None
        if leader is not None:
            study = study_curves(context, context.labelled(PROBE_LABEL))
        if leader is None or study is None:
            return StepPlan()
        if not context.trials and _wants_probe(leader, study) and _may_probe(context):
            return self._probe(context, leader, study)
        planned = next_experiment(context, leader, study)
        if planned is None:
            return StepPlan()
        return StepPlan(
            job_plans(context, [planned.trial], epochs=planned.epochs), planned.sentence
        )

    def _probe(self, context: StepContext, leader: TrialResult, study: StudyCurves) -> StepPlan:
        lr = study.leading.series.lr / DROP
        probe = TrialPlan(
            params={**leader.params, "lr": lr},
            seed=derive_seed(context.seed, self.kind, "weights"),
            data_seed=derive_seed(context.seed, self.kind, "data"),
            purpose=TrialPurpose.PROBE,
            label=PROBE_LABEL,
            snapshots=(leader.number,),
        )
        return StepPlan(
            job_plans(context, [probe], epochs=PROBE_EPOCHS),
            f"Train trial {leader.number}'s best weights for {plural(PROBE_EPOCHS, 'epoch')} at "
            f"{rate(lr)}: is its plateau the learning rate's?",
        )

    def judge(self, context: StepContext) -> StepReport:
        """Findings for the best setting, with how many trials share them, and for the trials."""
        study = study_curves(context, context.labelled(PROBE_LABEL))
        if study is None:
            return step_report(
                self,
                context,
                StepState.INCONCLUSIVE,
                "No trial of the search has a value: there are no curves to read.",
                action=Action(kind="continue", sentence="Look at why no trial ended with one."),
            )
        reading = StudyReading(study)
        experiments = shown(context, study)
        found = revise(reading.as_a_whole(), experiments, study)
        notes = [finding for finding in found if finding.code in NOTES]
        verdict = verdict_of(found)
        if verdict is StepState.PASSED and any(note.code == "inconclusive" for note in notes):
            verdict = StepState.INCONCLUSIVE
        grave = [finding for finding in found if finding.severity is not Severity.INFO]
        sentence = leading_sentence(found, notes[0].sentence if notes else _others(grave, study))
        drop = study.leading.lr_drop
        leading = study.leading
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "trial": leading.series.number,
                "epochs": leading.epochs,
                "best_epoch": leading.best_epoch,
                "metric": leading.metric.name,
                "train": leading.train.end,
                "val": leading.val.end,
                "standard_error": leading.val.end_error,
                "gap": leading.gap,
                "gap_standard_error": leading.gap_error,
                "val_loss_rise": leading.loss_rise,
                "update_ratio": leading.series.update_ratio,
                "num_trials": len(study.all),
                "probe": None if drop is None else "confirmed" if drop.confirms else "refuted",
                "num_experiments": len(context.trials),
            },
            findings=(*found, *reading.by_trial()),
            action=Action(kind="continue", sentence=[*grave, *notes, *found][0].action),
            learned={
                "curve_findings": [each.code for each in grave] or [each.code for each in notes],
                "curve_hints": [
                    each.code
                    for each in found
                    if each.severity is Severity.INFO and each.code not in NOTES
                ],
                "curve_trial": leading.series.number,
                "lr_drop": None if drop is None else drop.model_dump(mode="json"),
                "experiments": [each.model_dump(mode="json") for each in experiments],
            },
            figures=curve_figures(leading),
        )


def _wants_probe(leader: TrialResult, study: StudyCurves) -> bool:
    """Whether a lower rate may do what this one cannot, and nobody has looked."""
    leading = study.leading
    if leader.outcome.snapshot_epoch is None:
        return False
    if leading.lr_drop is not None or leading.is_decayed or not has_finished(leading):
        return False
    if not is_enough("underfitting", leading) or not leading.series.lr > 0:
        return False
    if leading.metric.has_points and leading.train.end >= FITTED:
        return False
    return leading.is_plateau or any(each.code in PROBED for each in read(leading))


def _may_probe(context: StepContext) -> bool:
    """Whether the budget has room for one short trial."""
    room = allowance(context, reserve=AFTER_ROUNDS)
    return room.trials >= 1 and room.fits(1, PROBE_EPOCHS)


def _others(grave: list[Finding], study: StudyCurves) -> str:
    """What follows the leading finding's sentence: whose curves, and what else they show."""
    leading = study.leading
    metric = leading.metric
    value = metric.text(study.best_value, study.best_error)
    also = f" Also found: {listing([each.code for each in grave[1:]])}." if grave[1:] else ""
    return (
        f"These are the curves of trial {leading.series.number}, {metric.label} {value} at epoch "
        f"{leading.best_epoch} of {leading.epochs}.{also}"
    )
