"""Step 3: which learning rates make the loss fall?

CS231n: the architecture that passed step 2, all training data, small weight decay; find
rates that make the loss drop within a hundred iterations. Fixed rates side by side rather
than one rising rate: each then has a real curve, and "none works" can be told from
"all explode".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.evidence.lr_finder import (
    LrFinderEvidence,
    Rate,
    RateResult,
    lr_finder_evidence,
)
from recipes.finding import Finding
from recipes.packing import pack
from recipes.rules.lr_too_low import moves_weights
from recipes.rules.registry import findings
from recipes.rules.regularisation import OVER_DECAY
from recipes.search.allowance import SPEED_UP, seconds_alone
from recipes.search.runs import loss_limit
from recipes.seeds import derive_seed
from recipes.space import Float, Int
from recipes.step import (
    Action,
    Figure,
    JobPlan,
    Series,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
    TrialPlan,
)
from recipes.steps.verdict import leading_sentence, step_report, verdict_of
from recipes.trial import TrialPurpose
from recipes.words import listing, number, plural, rate

DEFAULT_RANGE = (1e-6, 1.0)
"""The rates of a study that fixes its own or has none (method.md, step 3)."""

RATES_PER_DECADE = 3
LONGER_ITERATIONS = 500
"""Iterations of the rates that are tried again when none works: five times the usual ones, as a
bad start or few samples a batch may want (ours)."""

RATE, LONGER, BARE = "rate", "longer", "no regularisation"

ITERATIONS = 100
WEIGHT_DECAY = 1e-4
"""All from CS231n as method.md, step 3, retells it."""

RATES_PER_JOB = 4
"""Of rates that train one by one: a fixed size, so that what runs does not depend on how many
slots there are."""

INTERNALS_EVERY = 10
"""Iterations between samples of the update-to-weight ratio."""


class LrFinder(Step):
    """Step 3. Plans short runs at fixed rates; learns the interval that makes the loss fall."""

    kind = StepKind.LR_FINDER
    reads_curves = True

    def plan(self, context: StepContext) -> StepPlan:
        """The rates of the range not tried in an earlier pass, a few to a job.

        When none of them lowers the loss on unseen samples, though weights move: the best for
        longer, and if that does not help, without regularisation.
        """
        if context.trials:
            return self._rescue(context)
        low, high = rates_range(context)
        tried = {round(math.log10(each.lr), 6) for each in _earlier(context)}
        rates = [lr for lr in log_grid(low, high) if round(math.log10(lr), 6) not in tried]
        return StepPlan(
            self._jobs(context, rates, size=RATES_PER_JOB),
            f"Train {ITERATIONS} iterations at {plural(len(rates), 'learning rate')} from "
            f"{rate(low)} to {rate(high)}.",
        )

    def _rescue(self, context: StepContext) -> StepPlan:
        evidence = _evidence(context)
        rates = evidence.candidates
        if evidence.best is not None or not rates or not moves_weights(evidence):
            return StepPlan()
        if not context.labelled(LONGER):
            return StepPlan(
                self._jobs(context, rates, LONGER, size=len(rates)),
                f"No rate lowers the loss on unseen samples: try {LONGER_ITERATIONS} iterations "
                f"at {listing([rate(lr) for lr in rates])}.",
            )
        if context.labelled(BARE) or not _is_regularised(context):
            return StepPlan()
        return StepPlan(
            self._jobs(context, rates, BARE, size=len(rates)),
            "Nor does more of them: try without regularisation.",
        )

    def _jobs(
        self, context: StepContext, rates: Sequence[float], label: str = RATE, *, size: int
    ) -> tuple[JobPlan, ...]:
        center = {**context.space.center(), "weight_decay": WEIGHT_DECAY, **context.fixed}
        trials = tuple(
            TrialPlan(
                params={**center, "lr": lr},
                seed=derive_seed(context.seed, self.kind, "weights"),
                data_seed=derive_seed(context.seed, self.kind, "data"),
                purpose=TrialPurpose.CHECK,
                label=label,
            )
            for lr in rates
        )
        return pack(
            context,
            trials,
            {
                "iterations": ITERATIONS if label == RATE else LONGER_ITERATIONS,
                **({"regularisation": False} if label == BARE else {}),
                "evaluate": ("val",),
                "stop_if_loss_above": loss_limit(context),
                "internals_every": INTERNALS_EVERY,
            },
            size=size,
        )

    def judge(self, context: StepContext) -> StepReport:
        """Learns best rate and interval; wants another pass when the best lies at an end."""
        evidence = _evidence(context)
        found = findings(evidence)
        verdict = verdict_of(found)
        best, interval = evidence.best, evidence.interval
        sentence = leading_sentence(found, _healthy(evidence))
        if best is None and verdict is not StepState.FAILED:
            verdict, sentence = StepState.FAILED, _no_rate_works(evidence)
        widened = _widened(context, evidence)
        learned: dict[str, object] = {
            "rates": [each.model_dump(mode="json") for each in evidence.rates]
        }
        if best is not None and interval is not None:
            learned |= {
                "lr_best": best.lr,
                "lr_low": interval[0],
                "lr_high": interval[1],
                "lr_too_high": evidence.too_high.lr if evidence.too_high else None,
            }
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "num_rates": len(evidence.rates),
                "lowest_tried": evidence.rates[0].lr if evidence.rates else None,
                "highest_tried": evidence.rates[-1].lr if evidence.rates else None,
                "best_lr": best.lr if best else None,
                "loss_before": best.loss_before if best else None,
                "loss_after": best.loss_after if best else None,
                "standard_error": best.standard_error if best else None,
                "lr_low": interval[0] if interval else None,
                "lr_high": interval[1] if interval else None,
                "lr_too_high": evidence.too_high.lr if evidence.too_high else None,
                "largest_update_ratio": evidence.largest_update_ratio,
            },
            findings=found,
            action=_action(found, verdict, widened, evidence),
            learned=learned,
            figures=_figures(evidence, sentence),
            measured=_measured(context),
        )


def log_grid(low: float, high: float) -> list[float]:
    """Rates from low to high, both included, at least three a decade and evenly in log space.

    Grids of ranges that share an end and differ by whole decades share their points.
    """
    decades = math.log10(high / low)
    intervals = max(1, math.ceil(decades * RATES_PER_DECADE - 1e-9))
    step = decades / intervals
    return [float(f"{low * 10 ** (step * at):.6g}") for at in range(intervals + 1)]


def rates_range(context: StepContext) -> tuple[float, float]:
    """The range to try: the task's own, a decade wider on both sides unless it is hard.

    A later pass goes on to where the earlier one asked to widen.
    """
    earlier = [report for report in context.history if _is_earlier_pass(report, context)]
    if earlier and earlier[-1].action is not None:
        changes = earlier[-1].action.changes
        return float(changes["low"]), float(changes["high"])
    own = _own_range(context)
    if own is None:
        return DEFAULT_RANGE
    low, high, hard = own
    return (low, high) if hard else (low / 10, high * 10)


def _own_range(context: StepContext) -> tuple[float, float, bool] | None:
    if "lr" not in context.space:
        return None
    distribution = context.space["lr"]
    if isinstance(distribution, (Float, Int)) and distribution.low > 0:
        return float(distribution.low), float(distribution.high), distribution.hard
    return None


def _is_earlier_pass(report: StepReport, context: StepContext) -> bool:
    return (
        report.kind is StepKind.LR_FINDER
        and report.round == context.round
        and report.pass_number < context.pass_number
    )


def _earlier(context: StepContext) -> list[Rate]:
    earlier = [report for report in context.history if _is_earlier_pass(report, context)]
    return [Rate.model_validate(each) for each in earlier[-1].learned["rates"]] if earlier else []


def _evidence(context: StepContext) -> LrFinderEvidence:
    own = _own_range(context)
    fixed = context.fixed.get("lr")
    return lr_finder_evidence(
        context.description,
        context.history,
        context.trials,
        earlier_rates=_earlier(context),
        bare_label=BARE,
        task_range=(own[0], own[1]) if own else None,
        hard=own is not None and own[2],
        fixed_lr=float(fixed) if fixed is not None else None,
        overfit_lr=context.learned.get("overfit_lr"),
    )


def _is_regularised(context: StepContext) -> bool:
    """Whether dropout, or a weight decay that the study fixes, may be what holds the model."""
    decay = context.fixed.get("weight_decay", 0.0)
    is_heavy = isinstance(decay, (int, float)) and decay >= OVER_DECAY
    return is_heavy or bool(context.description.regularisation.switched_off)


def _widened(context: StepContext, evidence: LrFinderEvidence) -> tuple[float, float] | None:
    """The range of the next pass, when the best rate lies at an end of what was tried."""
    best = evidence.best
    if best is None or evidence.hard or len(evidence.rates) < 2:
        return None
    low, high = evidence.rates[0].lr, evidence.rates[-1].lr
    if best.lr == high:
        return low, high * 10
    return (low / 10, high) if best.lr == low else None


def _healthy(evidence: LrFinderEvidence) -> str:
    best, interval = evidence.best, evidence.interval
    if best is None or interval is None:
        return _no_rate_works(evidence)
    top = "no rate tried was too high"
    if evidence.too_high is not None:
        exploded = evidence.too_high.result is RateResult.EXPLODES
        top = f"at {rate(evidence.too_high.lr)} it {'explodes' if exploded else 'does not'}"
    iterations = best.iterations or ITERATIONS
    sentence = (
        f"Learning rates {rate(interval[0])} to {rate(interval[1])} make the loss on unseen "
        f"samples fall; best {rate(best.lr)}: {number(best.loss_before)} to "
        f"{number(best.loss_after)} (± {number(best.standard_error, 2)}) in "
        f"{iterations} iterations; {top}. The search will start from this interval."
    )
    fixed = evidence.fixed_lr
    if fixed is not None:
        inside = interval[0] <= fixed <= interval[1]
        sentence += f" The fixed rate {rate(fixed)} is {'inside' if inside else 'outside'} it."
    return sentence


def _no_rate_works(evidence: LrFinderEvidence) -> str:
    if not evidence.rates:
        reason = evidence.failed[0] if evidence.failed else "no run ended"
        return f"No learning rate could be tried: {reason}"
    exploding = len(evidence.with_result(RateResult.EXPLODES))
    return (
        f"No learning rate from {rate(evidence.rates[0].lr)} to {rate(evidence.rates[-1].lr)} "
        f"makes the loss on unseen samples fall: {exploding} explode, "
        f"{len(evidence.rates) - exploding} barely move."
    )


def _action(
    found: Sequence[Finding],
    verdict: StepState,
    widened: tuple[float, float] | None,
    evidence: LrFinderEvidence,
) -> Action:
    grave = [finding for finding in found if finding.severity != "info"]
    if verdict is StepState.FAILED:
        sentence = grave[0].action if grave else "Look at the curves of the rates in between."
        return Action(kind="change", sentence=sentence)
    if widened is not None and evidence.best is not None:
        return Action(
            kind="widen",
            sentence=f"The best rate {rate(evidence.best.lr)} lies at the end of the tried range: "
            f"try {rate(widened[0])} to {rate(widened[1])}.",
            changes={"low": widened[0], "high": widened[1]},
        )
    return Action(
        kind="continue", sentence="Search around this interval, in log space, with weight decay."
    )


def _measured(context: StepContext) -> dict[str, float]:
    """Seconds per iteration, and what training together gained: measured, never compared."""
    seconds = sum(trial.outcome.seconds for trial in context.trials)
    iterations = sum(trial.outcome.iterations for trial in context.trials)
    if not iterations:
        return {}
    alone = sum(seconds_alone(context.description.fusing, trial) for trial in context.trials)
    gained = {SPEED_UP: alone / seconds} if alone > seconds else {}
    return {"seconds_per_iteration": seconds / iterations, **gained}


ROLES = {RateResult.FALLS: "good", RateResult.BARELY_MOVES: "muted", RateResult.EXPLODES: "bad"}


def _figures(evidence: LrFinderEvidence, summary: str) -> tuple[Figure, ...]:
    if not evidence.rates:
        return ()
    series = [
        Series(
            name=str(result),
            x=tuple(each.lr for each in evidence.with_result(result)),
            y=tuple(each.loss_after for each in evidence.with_result(result)),
            role=role,
            style="dots",
        )
        for result, role in ROLES.items()
        if evidence.with_result(result)
    ]
    return (
        Figure(
            name="lr_finder",
            title=f"Loss on unseen samples after {ITERATIONS} iterations, by learning rate",
            summary=summary,
            x_label="learning rate",
            y_label="loss",
            x_log=True,
            series=tuple(series),
            horizontal=(("before training", evidence.rates[0].loss_before),),
            shaded=evidence.interval,
        ),
    )
