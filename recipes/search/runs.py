"""The runs of a search: seeds, run spec and packing into jobs, the same for steps 4, 5 and 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipes.packing import pack
from recipes.search.allowance import members_per_job
from recipes.seeds import derive_seed
from recipes.space import ParameterValue
from recipes.step import Continued, JobPlan, StepContext, TrialPlan, TrialResult
from recipes.trial import TrialPurpose

DIVERGED_FACTOR = 3.0
"""A train loss above this many times the initial one ends a trial (method.md, step 4), and a
run of step 3 likewise."""

FEWEST_EVALUATED = 2_000
"""Train metrics in eval mode are taken on max(validation samples, this) (design.md 6)."""

INTERNALS_EVERY = 50
"""Iterations between samples of gradient norm and update ratio: under 2 % of a tiny net's time."""


def search_trial(
    context: StepContext,
    params: Mapping[str, ParameterValue],
    *,
    label: str,
    extras: Mapping[str, ParameterValue],
) -> TrialPlan:
    """A trial of a search. All of them share initial seed and data order, so that what
    differs between two of them is their setting (common random numbers)."""
    return TrialPlan(
        params=complete(context, params, extras=extras),
        seed=derive_seed(context.seed, "search", "weights"),
        data_seed=derive_seed(context.seed, "search", "data"),
        purpose=TrialPurpose.SEARCH,
        label=label,
    )


def repeat_trials(context: StepContext, source: TrialResult, count: int) -> list[TrialPlan]:
    """A setting again with new seeds. The i-th seed is the same for every setting of a round,
    so that settings are compared seed by seed."""
    return [
        TrialPlan(
            params=dict(source.params),
            seed=derive_seed(context.seed, "repeat", context.round, index, "weights"),
            data_seed=derive_seed(context.seed, "repeat", context.round, index, "data"),
            purpose=TrialPurpose.REPEAT,
            label=f"repeat of {source.label}"
            if source.label == "incumbent"
            else f"repeat of {source.number}",
        )
        for index in range(count)
    ]


def complete(
    context: StepContext,
    params: Mapping[str, ParameterValue],
    *,
    extras: Mapping[str, ParameterValue],
) -> dict[str, ParameterValue]:
    """A setting with every name it needs: what it leaves out, what was fixed, what was asked.

    Args:
        context: The study's space and fixed values. Its fixed values win.
        params: The proposal.
        extras: The trainer's own knobs that the loop has set (schedule, warm-up...).
    """
    lr = context.learned.get("lr_best")
    default = {} if lr is None else {"lr": lr}
    return {**default, **context.space.center(), **extras, **params, **context.fixed}


def job_plans(
    context: StepContext,
    trials: Sequence[TrialPlan | Continued],
    *,
    epochs: int,
    until: int | None = None,
    done: int = 0,
    keep_snapshot: bool = False,
    evaluate_at_best: Sequence[str] = (),
) -> tuple[JobPlan, ...]:
    """Trials as jobs: those that train together, else a few short ones at a time.

    Args:
        context: Its description and learnings.
        trials: New ones and ones that go on.
        epochs: The whole length.
        until: The rung to pause at; None or the whole length: run to the end.
        done: Epochs behind those that go on.
        keep_snapshot: Whether the best epoch's weights are kept.
        evaluate_at_best: Splits to look at once, with those weights.
    """
    pause = until if until is not None and until < epochs else None
    settings: dict[str, Any] = {
        "epochs": epochs,
        "until_epoch": pause,
        "evaluate": ("train", "val"),
        "evaluate_samples": evaluated_samples(context),
        "stop_if_loss_above": loss_limit(context),
        "internals_every": INTERNALS_EVERY,
        "keep_snapshot": keep_snapshot,
        "evaluate_at_best": tuple(evaluate_at_best),
    }
    size = members_per_job(context, count=len(trials), epochs=(pause or epochs) - done)
    return pack(context, trials, settings, size=size)


def evaluated_samples(context: StepContext) -> int:
    """Samples of an evaluation: the whole validation split, as many of the training data."""
    return max(context.description.split("val").num_samples, FEWEST_EVALUATED)


def loss_limit(context: StepContext) -> float | None:
    """The train loss that ends a trial: three times the initial one, where that is known."""
    initial = context.learned.get("initial_loss")
    return DIVERGED_FACTOR * initial if initial and initial > 0 else None
