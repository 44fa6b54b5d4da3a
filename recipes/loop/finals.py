"""The final runs: the winner over several seeds, the incumbent beside it, the average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.loop.situation import repeated
from recipes.search.allowance import allowance
from recipes.search.runs import job_plans
from recipes.search.scoring import Scored, epochs_done, ranked, score
from recipes.seeds import derive_seed
from recipes.space import ParameterValue
from recipes.step import JobPlan, StepContext, StepPlan, TrialPlan, TrialResult
from recipes.trial import TrialPurpose
from recipes.words import plural

WINNER, INCUMBENT, AVERAGE = "winner", "final incumbent", "average"

SEEDS = (5, 3, 2, 1)
"""Seeds of the final runs, the first number that fits what is left."""

AVERAGED = 5
"""Most models whose predictions are averaged (CS231n: the top few)."""


def plan_finals(context: StepContext) -> StepPlan:
    """The final runs, then the average of the best models; nothing when both are done."""
    done = [each for each in context.trials if each.purpose is TrialPurpose.FINAL]
    if not done:
        return _train(context)
    if any(each.label == AVERAGE for each in done):
        return StepPlan()
    return _average(context)


def _train(context: StepContext) -> StepPlan:
    chosen = winner(context)
    if chosen is None:
        return StepPlan()
    params, epochs = chosen
    settings = {WINNER: params}
    present = _incumbent(context)
    if present is not None and dict(present) != dict(params):
        settings[INCUMBENT] = present
    allowed = allowance(context, reserve=0.0)
    for count in SEEDS:
        runs = count * len(settings)
        if allowed.fits(runs, epochs) and runs <= allowed.trials:
            break
    else:
        return StepPlan()
    trials = [
        TrialPlan(
            params=dict(each),
            seed=derive_seed(context.seed, "final", index, "weights"),
            data_seed=derive_seed(context.seed, "final", index, "data"),
            purpose=TrialPurpose.FINAL,
            label=label,
        )
        for label, each in settings.items()
        for index in range(count)
    ]
    return StepPlan(
        job_plans(
            context,
            trials,
            epochs=epochs,
            keep_snapshot=True,
            evaluate_at_best=("test",) if has_test(context) else (),
        ),
        f"Train the {'winner and the incumbent' if present else 'winner'} for the last time, over "
        f"{plural(count, 'new seed')}"
        + (", and look at the test split once." if has_test(context) else "."),
    )


def _average(context: StepContext) -> StepPlan:
    """One trial that is not trained: the average of the best models' predictions."""
    models = averaged(context)
    if len(models) < 2 or allowance(context, reserve=0.0).trials < 1:
        return StepPlan()
    trial = TrialPlan(
        params=dict(models[0].trial.params),
        seed=models[0].trial.seed,
        data_seed=models[0].trial.data_seed,
        purpose=TrialPurpose.FINAL,
        label=AVERAGE,
        snapshots=tuple(each.number for each in models),
    )
    settings = {
        "iterations": 0,
        "evaluate": ("val",),
        "evaluate_samples": context.description.split("val").num_samples,
        "evaluate_at_best": ("test",) if has_test(context) else (),
    }
    return StepPlan(
        (JobPlan((trial,), settings),),
        f"Average the predictions of the best {len(models)} models.",
    )


def averaged(context: StepContext) -> list[Scored]:
    """The best models with kept weights, of the final runs and the repeats."""
    kept = [
        each
        for each in (*context.trials, *context.search)
        if each.outcome.snapshot_epoch is not None
        and each.purpose in (TrialPurpose.FINAL, TrialPurpose.REPEAT)
    ]
    return ranked(kept, context.description)[:AVERAGED]


def winner(context: StepContext) -> tuple[Mapping[str, ParameterValue], int] | None:
    """The setting to train for the last time, and for how long; None when there is none."""
    settings = repeated(context)
    if settings:
        return settings[0].params, max(run.epochs for run in settings[0].runs)
    searched = [each for each in context.search if each.purpose is TrialPurpose.SEARCH]
    longest = max(map(epochs_done, searched), default=0)
    order = [each for each in ranked(searched, context.description) if each.epochs == longest]
    return (order[0].trial.params, longest) if order else None


def final_runs(context: StepContext, label: str) -> list[Scored]:
    """The final runs of one label that have a value."""
    found = [score(each, context.description) for each in _labelled(context.trials, label)]
    return [each for each in found if each is not None]


def has_test(context: StepContext) -> bool:
    """Whether the task has a test split."""
    return any(split.name == "test" for split in context.description.splits)


def _incumbent(context: StepContext) -> Mapping[str, ParameterValue] | None:
    """The incumbent's whole setting, as it ran in the search."""
    runs = [each for each in context.search if each.label == "incumbent"]
    return runs[-1].params if runs else None


def _labelled(trials: Sequence[TrialResult], label: str) -> list[TrialResult]:
    return [each for each in trials if each.label == label]
