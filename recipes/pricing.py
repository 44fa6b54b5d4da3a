"""What a study would run, and for how long, before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from recipes.budget import SHARES, BudgetState, Spent
from recipes.description import TaskDescription
from recipes.loop.advice import CATALOGUE
from recipes.loop.finals import SEEDS
from recipes.loop.situation import MOST_REFUTED
from recipes.search.allowance import (
    FIRST_OVERHEAD,
    JOB_SECONDS,
    SPEED_UP,
    iterations_per_epoch,
    search_fusing,
)
from recipes.search.early_discard import discards_early
from recipes.search.halving import RATE, epochs_per_trial, rungs
from recipes.search.round_plan import DEFAULT_ROUNDS, FEWEST_REPEATED
from recipes.step import StepContext, StepKind, StepPlan, StepReport, StepState
from recipes.steps.coarse_search import CoarseSearch
from recipes.steps.fine_search import FINALISTS_AND_SEEDS, MOST_TRIALS_FACTOR
from recipes.steps.initial_loss import InitialLoss
from recipes.steps.lr_finder import LrFinder
from recipes.steps.overfit_sample import ITERATIONS, LEARNING_RATES
from recipes.study import StudyConfig
from recipes.study_space import study_space
from recipes.words import plural

MOST_ROUNDS = 1 + MOST_REFUTED * len(CATALOGUE)
"""With a budget a study goes on while advice is left: a first round, then every kind of advice
as often as it may fail."""

SHORT_TRIALS = (
    " Trials this short take longer to hand out and to write down than to train: reckon with "
    "several times as long, and with a budget of time with as many fewer settings."
)
"""Of tasks whose jobs are shorter than they are meant to be (``JOB_SECONDS``)."""


NUM_RATES = 16
"""About how many rates step 3 trains together; its own plan is priced by their number."""


class _Part(NamedTuple):
    """What a part of a study may run: new trials, and epochs of single ones over all slots."""

    trials: float
    epochs: float


@dataclass(frozen=True, slots=True)
class StepPrice:
    """One step's price. ``epochs`` is trial-epochs; ``seconds`` is wall-clock."""

    number: int
    kind: StepKind
    trials: int
    epochs: float
    seconds: float
    sentence: str


def price(
    description: TaskDescription,
    config: StudyConfig,
    seconds_per_epoch: float,
    slots: int,
) -> tuple[StepPrice, ...]:
    """The price of every step a study carries out, widening passes left out.

    Args:
        description: The task's.
        config: The study asked for.
        seconds_per_epoch: Of one trial alone on one slot, measured. Where trials train together it
            is divided by what that was measured to gain.
        slots: Jobs at the same time.
    """
    center = {**study_space(description, config).center(), **config.set}
    per_iteration = seconds_per_epoch / iterations_per_epoch(description, center)
    context = _context(description, config, per_iteration, slots)
    prices = [
        each
        for each in (
            _initial_loss(context, per_iteration),
            _overfit_sample(context, per_iteration),
            _lr_finder(context, seconds_per_epoch),
            _coarse(context, config, seconds_per_epoch),
            *_rounds(context, config, seconds_per_epoch),
        )
        if each.number in config.steps
    ]
    return tuple(prices)


def _context(
    description: TaskDescription, config: StudyConfig, per_iteration: float, slots: int
) -> StepContext:
    """A study that has just passed step 3, which measured the price of an iteration."""
    gain = description.fusing.speed_up(description.fusing.together(NUM_RATES, slots))
    report = StepReport(
        number=StepKind.LR_FINDER.number,
        kind=StepKind.LR_FINDER,
        round=1,
        pass_number=1,
        state=StepState.PASSED,
        verdict=StepState.PASSED,
        measured={"seconds_per_iteration": per_iteration / gain, SPEED_UP: gain},
    )
    return StepContext(
        seed=config.seed,
        description=description,
        space=study_space(description, config),
        fixed=config.set,
        learned={},
        history=[report],
        trials=[],
        options=config.search,
        incumbent=config.incumbent,
        budget=BudgetState(config.budget, Spent(), Spent(), slots),
        max_rounds=config.max_rounds,
    )


def _wall(context: StepContext, epochs: float, share_seconds: float) -> float:
    return epochs * share_seconds * FIRST_OVERHEAD / context.budget.slots


def _share(
    context: StepContext,
    count: int,
    epochs: int = 1,
    *,
    early_discard: bool = False,
    is_search: bool = False,
) -> float:
    """What a trial takes of the time it takes alone; 1 where trials train one by one.

    The mean over its epochs: at each rung half as many train together.

    Args:
        context: With the slots, and what was measured of the task.
        count: Trials that begin together.
        epochs: Of those that go on to the end.
        early_discard: Whether they pause at rungs.
        is_search: Whether their settings are drawn from the space; else they are of one form.
    """
    fusing, slots = context.description.fusing, context.budget.slots
    if is_search:
        fusing = search_fusing(context.description, context.space, context.fixed)
    trained, taken, before = 0.0, 0.0, 0
    for rung in rungs(epochs, early_discard=early_discard):
        cost = count * (rung - before)
        trained += cost
        taken += cost / fusing.speed_up(fusing.together(count, slots))
        count, before = math.ceil(count / RATE), rung
    return taken / trained


def _initial_loss(context: StepContext, per_iteration: float) -> StepPrice:
    count = _count(InitialLoss().plan(context))
    return StepPrice(
        StepKind.INITIAL_LOSS.number,
        StepKind.INITIAL_LOSS,
        count,
        0.0,
        count * per_iteration,
        f"{plural(count, 'untrained model')}: no training.",
    )


def _overfit_sample(context: StepContext, per_iteration: float) -> StepPrice:
    rates = len(LEARNING_RATES)
    alone = rates * _share(context, rates) + 1  # the one on zeroed inputs has no company
    return StepPrice(
        StepKind.OVERFIT_SAMPLE.number,
        StepKind.OVERFIT_SAMPLE,
        rates + 1,
        0.0,
        _wall(context, alone * ITERATIONS, per_iteration),
        f"{rates} rates and zeroed inputs, at most {ITERATIONS} iterations each on "
        "a small sample; more when no rate works.",
    )


def _lr_finder(context: StepContext, seconds_per_epoch: float) -> StepPrice:
    plan = LrFinder().plan(context)
    count = _count(plan)
    epochs = sum(
        job.settings["iterations"] * len(job.trials) for job in plan.jobs
    ) / iterations_per_epoch(context.description, {**context.space.center(), **context.fixed})
    return StepPrice(
        StepKind.LR_FINDER.number,
        StepKind.LR_FINDER,
        count,
        epochs,
        _wall(context, epochs, seconds_per_epoch * _share(context, count)),
        plan.sentence,
    )


def _coarse(context: StepContext, config: StudyConfig, seconds_per_epoch: float) -> StepPrice:
    count = _count(CoarseSearch().plan(context))
    options = config.search
    early = discards_early(context, {})
    per_trial = epochs_per_trial(options.coarse_epochs, early_discard=early)
    steps = rungs(options.coarse_epochs, early_discard=early)
    share = _share(context, count, options.coarse_epochs, early_discard=early, is_search=True)
    return StepPrice(
        StepKind.COARSE_SEARCH.number,
        StepKind.COARSE_SEARCH,
        count,
        count * per_trial,
        _wall(context, count * per_trial, seconds_per_epoch * share),
        f"{plural(count, 'setting')} to epoch {', '.join(map(str, steps))}"
        + (", half of them going on at each." if len(steps) > 1 else "."),
    )


def _rounds(
    context: StepContext, config: StudyConfig, seconds_per_epoch: float
) -> tuple[StepPrice, StepPrice, StepPrice]:
    """Steps 5 to 7 over all rounds, as far as the budget is expected to reach."""
    options = config.search
    rounds = config.max_rounds or DEFAULT_ROUNDS
    while_advised = ""
    early = discards_early(context, {})
    first = epochs_per_trial(options.fine_epochs, early_discard=early)
    size = min(options.generation, options.fine_trials)
    share = _share(context, size, options.fine_epochs, early_discard=early, is_search=True)
    share_seconds = seconds_per_epoch * share
    left = _part(context, "fine", share_seconds)
    if math.isfinite(left.trials):
        least = size + math.prod(FEWEST_REPEATED)
        rounds = max(1, min(rounds, int(left.trials / least)))
    # From the second round on the rate may decay, and nothing is discarded early.
    per_trial = (first + (rounds - 1) * options.fine_epochs) / rounds
    trials, repeats = options.fine_trials, math.prod(FINALISTS_AND_SEEDS[0])
    is_limited = math.isfinite(left.epochs) or math.isfinite(left.trials)
    if is_limited:
        trials *= MOST_TRIALS_FACTOR
    # A third of what a round may spend is for its repeats.
    if math.isfinite(left.trials):
        repeats = max(1, min(repeats, int(left.trials / rounds / 3)))
        trials = min(trials, max(1, int(left.trials / rounds) - repeats))
    if math.isfinite(left.epochs):
        trials = min(trials, max(1, int(left.epochs / rounds * 2 / 3 / per_trial)))
    epochs = trials * per_trial + repeats * options.fine_epochs
    total = rounds * min(epochs, left.epochs / rounds)
    if is_limited and config.max_rounds is None:
        later = (trials + repeats) * options.fine_epochs
        paid = min((left.epochs - total) / later, left.trials / (trials + repeats) - rounds)
        more = max(0, math.floor(min(MOST_ROUNDS - rounds, paid)))
        rounds, total = rounds + more, total + more * later
        while_advised = ", while there is advice left"
    fusing = search_fusing(context.description, context.space, context.fixed)
    together = fusing.together(size, context.budget.slots)
    is_short = first * share_seconds * together < JOB_SECONDS
    return (
        StepPrice(
            StepKind.FINE_SEARCH.number,
            StepKind.FINE_SEARCH,
            rounds * (trials + repeats),
            total,
            _wall(context, total, share_seconds),
            f"At most {plural(rounds, 'round')} of {plural(trials, 'setting')}, up to "
            f"{options.fine_epochs} epochs each, and about {plural(repeats, 'repeat')} with new "
            f"seeds{while_advised}.{SHORT_TRIALS if is_short else ''}",
        ),
        StepPrice(
            StepKind.CURVES.number,
            StepKind.CURVES,
            0,
            0.0,
            0.0,
            "Reads the curves; at most two experiments a round, each of two epochs up to a whole "
            "run.",
        ),
        _finals(context, config, seconds_per_epoch),
    )


def _finals(context: StepContext, config: StudyConfig, seconds_per_epoch: float) -> StepPrice:
    """Step 7's final runs, with as many seeds as what is held back for them pays."""
    settings = 2 if config.incumbent else 1
    epochs = config.search.fine_epochs
    share_seconds = seconds_per_epoch * _share(context, SEEDS[0] * settings)
    left = _part(context, "final", share_seconds)
    runs = next(
        (
            count * settings
            for count in SEEDS
            if count * settings <= left.trials and count * settings * epochs <= left.epochs
        ),
        0,
    )
    sentence = (
        f"The winner{' and the incumbent' if config.incumbent else ''} over "
        f"{plural(runs // settings, 'new seed')}, and the test split once."
    )
    return StepPrice(
        StepKind.LOOP.number,
        StepKind.LOOP,
        runs,
        float(runs * epochs),
        _wall(context, runs * epochs, share_seconds),
        sentence if runs else "No final runs: what is held back for them pays for none.",
    )


def _part(context: StepContext, name: str, share_seconds: float) -> _Part:
    """What a part of the study may run when those before it use theirs; infinite without a limit.

    Args:
        context: With the budget, of which nothing is spent.
        name: The part's, of ``budget.SHARES``.
        share_seconds: What an epoch of one trial takes on a slot.
    """
    share, left = SHARES[name], context.budget.left()
    wall = left.wall_seconds * context.budget.slots / FIRST_OVERHEAD
    epochs = min(left.epochs, min(wall, left.device_seconds) / share_seconds)
    return _Part(trials=left.trials * share, epochs=epochs * share)


def _count(plan: StepPlan) -> int:
    return sum(len(job.trials) for job in plan.jobs)
