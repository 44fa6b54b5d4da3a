"""Which experiment comes next, what it runs, and what those that ran have shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, TypeAdapter

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.study_curves import StudyCurves, has_finished
from recipes.evidence.trial_series import trial_series
from recipes.experiments import larger_batch as larger
from recipes.experiments import other_seed as other
from recipes.experiments.larger_batch import (
    LargerBatch,
    larger_batch,
    larger_batch_epochs,
    larger_batch_size,
)
from recipes.experiments.mode_check import checked_by_mode
from recipes.experiments.other_seed import OtherSeed, other_seed
from recipes.finding import Finding, Severity
from recipes.readings import read
from recipes.search.allowance import AFTER_ROUNDS, allowance
from recipes.seeds import derive_seed
from recipes.step import StepContext, StepKind, StepReport, TrialPlan, TrialResult
from recipes.trial import TrialPurpose
from recipes.words import plural

MOST_EXPERIMENTS = 2
"""In one round, the LR-drop probe counted in: they are there to save trials."""

HINTS = frozenset({"noisy_loss"})
"""Findings that only inform and are worth an experiment all the same: how the batch is chosen
hangs on it."""

Shown = Annotated[LargerBatch | OtherSeed, Field(discriminator="name")]
_SHOWN: TypeAdapter[LargerBatch | OtherSeed] = TypeAdapter(Shown)


@dataclass(frozen=True, slots=True)
class Planned:
    """An experiment to run.

    Attributes:
        epochs: Its cost.
        sentence: What it is and what it asks.
    """

    trial: TrialPlan
    epochs: int
    sentence: str


def next_experiment(
    context: StepContext, leader: TrialResult, study: StudyCurves
) -> Planned | None:
    """The cheapest experiment for the gravest finding that still has two causes to tell apart.

    None when there is none, when the budget has no room for it, or after ``MOST_EXPERIMENTS``.

    Args:
        context: Step 6's.
        leader: The trial whose findings they are.
        study: The same with its curves.
    """
    leading = study.leading
    if len(context.trials) >= MOST_EXPERIMENTS or not has_finished(leading):
        return None
    room = allowance(context, reserve=AFTER_ROUNDS)
    done = {each.code for each in shown(context, study)} | _begun(context)
    for finding in read(leading):
        is_worth_it = finding.severity is not Severity.INFO or finding.code in HINTS
        if not is_worth_it or finding.code in done:
            continue
        options = [
            planned
            for make in (_larger_batch, _other_seed)
            if (planned := make(context, leader, study, finding)) is not None
        ]
        for planned in sorted(options, key=lambda each: each.epochs):
            if room.trials >= 1 and room.fits(1, planned.epochs):
                return planned
    return None


def shown(context: StepContext, study: StudyCurves) -> tuple[LargerBatch | OtherSeed, ...]:
    """What experiments on the leading trial have shown: this step run's, else earlier ones'.

    Runs of the leading setting with other seeds that the search made anyway count as reruns.
    """
    leading = study.leading
    found: list[LargerBatch | OtherSeed] = []
    for trial in context.trials:
        name, _, code = trial.label.partition(" ")
        one: LargerBatch | OtherSeed | None = None
        if name == larger.LABEL:
            one = larger_batch(trial_series(trial), leading, code)
        elif name == other.LABEL:
            one = other_seed([_alike(leading, trial)], leading, code)
        if one is not None:
            found.append(one)
    found += _free(study)
    known = {each.code for each in found}
    earlier = [each for each in _stored(context.history) if each.of == leading.series.number]
    return (*found, *(each for each in earlier if each.code not in known))


def revise(
    findings: Iterable[Finding], experiments: Sequence[LargerBatch | OtherSeed], study: StudyCurves
) -> tuple[Finding, ...]:
    """The study's findings with what the experiments showed."""
    revised = []
    for finding in findings:
        now = checked_by_mode(finding, study.leading)
        for each in experiments:
            now = each.revise(now)
        revised.append(now)
    return tuple(revised)


def _larger_batch(
    context: StepContext, leader: TrialResult, study: StudyCurves, finding: Finding
) -> Planned | None:
    leading = study.leading
    against = larger.ABOUT.get(finding.code)
    asked = {cause.code for cause in finding.causes[:2]}
    size = larger_batch_size(leading)
    if against is None or asked != {larger.BATCH, against} or size is None:
        return None
    if leader.outcome.snapshot_epoch is None or leading.is_decayed:
        return None  # a decayed rate has taken the noise out already
    epochs = larger_batch_epochs(leading, finding.code)
    if epochs > leading.epochs:
        return None
    trial = TrialPlan(
        params={**leader.params, "batch_size": size},
        seed=derive_seed(context.seed, StepKind.CURVES, larger.LABEL, "weights"),
        data_seed=derive_seed(context.seed, StepKind.CURVES, larger.LABEL, "data"),
        purpose=TrialPurpose.PROBE,
        label=f"{larger.LABEL} {finding.code}",
        snapshots=(leader.number,),
    )
    return Planned(
        trial,
        epochs,
        f"Train trial {leader.number}'s best weights for {plural(epochs, 'epoch')} with batches "
        f"of {size}: does the noise fall with the square root ({finding.code})?",
    )


def _other_seed(
    context: StepContext, leader: TrialResult, study: StudyCurves, finding: Finding
) -> Planned | None:
    if finding.code not in other.ABOUT or study.repeats:
        return None
    trial = TrialPlan(
        params=dict(leader.params),
        seed=derive_seed(context.seed, StepKind.CURVES, other.LABEL, "weights"),
        data_seed=derive_seed(context.seed, StepKind.CURVES, other.LABEL, "data"),
        purpose=TrialPurpose.PROBE,
        label=f"{other.LABEL} {finding.code}",
    )
    return Planned(
        trial,
        study.leading.epochs,
        f"Train trial {leader.number}'s setting with another seed: is it the seed or the "
        f"setting ({finding.code})?",
    )


def _free(study: StudyCurves) -> list[OtherSeed]:
    """Reruns that the search has made anyway."""
    codes = [each.code for each in read(study.leading) if each.code in other.ABOUT]
    found = [other_seed(study.repeats, study.leading, code) for code in codes]
    return [each for each in found if each is not None]


def _alike(leading: CurveEvidence, trial: TrialResult) -> CurveEvidence:
    """A rerun among the same peers."""
    return replace(leading, series=trial_series(trial))


def _begun(context: StepContext) -> set[str]:
    """Findings that have had an experiment in this step run, whatever became of it."""
    return {trial.label.partition(" ")[2] for trial in context.trials} - {""}


def _stored(history: Sequence[StepReport]) -> list[LargerBatch | OtherSeed]:
    return [
        _SHOWN.validate_python(each)
        for report in reversed(history)
        for each in report.learned.get("experiments") or ()
    ]
