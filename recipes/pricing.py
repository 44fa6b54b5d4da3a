"""What a study would run, and for how long, before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
from recipes.search.round_plan import DEFAULT_ROUNDS
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
    # From the second round on the rate may decay, and nothing is discarded early.
    per_trial = (first + (rounds - 1) * options.fine_epochs) / rounds
    settings, seeds = FINALISTS_AND_SEEDS[0]
    trials = options.fine_trials
    epochs = trials * per_trial + settings * seeds * options.fine_epochs
    left = _epochs_left(context, share_seconds)
    if math.isfinite(left):
        share = left / rounds
        affordable = max(1, int(share * 2 / 3 / per_trial))
        trials = min(affordable, MOST_TRIALS_FACTOR * options.fine_trials)
        epochs = min(share, trials * per_trial + settings * seeds * options.fine_epochs)
    repeats = settings * seeds
    total = rounds * epochs
    if math.isfinite(left) and config.max_rounds is None:
        later = (trials + repeats) * options.fine_epochs
        more = max(0, min(MOST_ROUNDS - rounds, int((left - total) / later)))
        rounds, total = rounds + more, total + more * later
        while_advised = ", while there is advice left"
    fusing = search_fusing(context.description, context.space, context.fixed)
    together = fusing.together(size, context.budget.slots)
    is_short = first * share_seconds * together < JOB_SECONDS
    finals = SEEDS[0] * (2 if config.incumbent else 1)
    return (
        StepPrice(
            StepKind.FINE_SEARCH.number,
            StepKind.FINE_SEARCH,
            rounds * (trials + repeats),
            total,
            _wall(context, total, share_seconds),
            f"At most {plural(rounds, 'round')} of {plural(trials, 'setting')}, up to "
            f"{options.fine_epochs} epochs each, and about {repeats} repeats with new seeds"
            f"{while_advised}.{SHORT_TRIALS if is_short else ''}",
        ),
        StepPrice(
            StepKind.CURVES.number,
            StepKind.CURVES,
            0,
            0.0,
            0.0,
            "Reads the curves; at most a probe of 2 epochs a round.",
        ),
        StepPrice(
            StepKind.LOOP.number,
            StepKind.LOOP,
            finals,
            float(finals * options.fine_epochs),
            _wall(
                context,
                finals * options.fine_epochs,
                seconds_per_epoch * _share(context, finals),
            ),
            f"The winner{' and the incumbent' if config.incumbent else ''} over {SEEDS[0]} new "
            "seeds, and the test split once.",
        ),
    )


def _epochs_left(context: StepContext, share_seconds: float) -> float:
    """Epochs the rounds may spend when the steps before them used their shares."""
    allowed = context.budget.allowed
    share = SHARES["fine"]
    found = [
        limit
        for limit in (
            None if allowed.epochs is None else allowed.epochs * share,
            None
            if allowed.wall_seconds is None
            else allowed.wall_seconds
            * share
            * context.budget.slots
            / (share_seconds * FIRST_OVERHEAD),
        )
        if limit is not None
    ]
    return min(found, default=math.inf)


def _count(plan: StepPlan) -> int:
    return sum(len(job.trials) for job in plan.jobs)
