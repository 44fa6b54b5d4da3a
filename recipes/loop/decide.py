"""The loop's decision: one change as a hypothesis, or the end and why."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recipes.hypothesis import EffectKind, Hypothesis
from recipes.loop.advice import CATALOGUE, Change
from recipes.loop.situation import MOST_REFUTED, Situation, repeated
from recipes.metric import Metric
from recipes.search.allowance import AFTER_ROUNDS, allowance
from recipes.search.finalists import TELL_APART, floored, noise_between, pooled_sd
from recipes.search.round_plan import DEFAULT_ROUNDS, RoundPlan, least_cost
from recipes.trial import TrialPurpose
from recipes.words import number, plural

MOST_ROUNDS = 20
"""With a budget, however large."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the loop does next: a hypothesis with the plan that tests it, or the end.

    Attributes:
        stop_reason: ``budget``, ``rounds``, ``no_gain``, ``perfect``, ``advice_exhausted``.
        not_tried: Advice that would have been given, in words.
    """

    hypothesis: Hypothesis | None
    plan: RoundPlan | None
    stop_reason: str | None
    sentence: str
    not_tried: tuple[str, ...] = ()


def decide(now: Situation) -> Decision:
    """One change at a time, or stop. The same situation gives the same decision.

    A budget is there to be used: with one, healthy curves and a change without gain end
    nothing while there is something left to try.
    """
    context = now.context
    description = context.description
    open_advice = applicable(now)
    unlimited = not context.budget.allowed.is_limited
    most = context.max_rounds or (DEFAULT_ROUNDS if unlimited else MOST_ROUNDS)
    rest = tuple(change.sentence for _, change in open_advice if change.because)
    if _is_perfect(now):
        sentence = f"{description.metric} is 1 on every validation sample: nothing can better it."
        return _stop("perfect", sentence[0].upper() + sentence[1:], ())
    if not open_advice:
        return _stop("advice_exhausted", "No advice is left that has not failed twice.", ())
    if unlimited and _has_converged(now):
        sentence = "The curves are healthy and the last change gained nothing beyond noise."
        return _stop("no_gain", sentence, ())
    if context.round >= most:
        return _stop("rounds", _rounds_are_done(now, most), rest)
    if not unlimited and not any(each.purpose is TrialPurpose.REPEAT for each in context.search):
        sentence = (
            "The budget did not reach to repeat a setting with new seeds, so no change could be "
            "tested."
        )
        return _stop("budget", sentence, rest)
    affordable = [(name, change) for name, change in open_advice if _can_pay(now, change.plan)]
    if not affordable:
        sentence = "What is left of the budget is held back for the final runs."
        return _stop("budget", sentence, rest)
    name, change = affordable[0]
    hypothesis = _hypothesis(now, name, change)
    return Decision(hypothesis, change.plan, None, hypothesis.sentence)


def applicable(now: Situation) -> list[tuple[str, Change]]:
    """Advice that fits the situation, in order; what failed once comes after what did not.

    Advice refuted twice is not given again, nor is a plan that was tried already.
    """
    tried = [each.changes.get("round_plan") for each in now.hypotheses]
    found = []
    for advice in CATALOGUE:
        if now.num_refuted(advice.name) >= MOST_REFUTED:
            continue
        change = advice.propose(now)
        if change is not None and change.plan.model_dump(mode="json") not in tried:
            found.append((advice.name, change))
    return sorted(found, key=lambda pair: now.num_refuted(pair[0]))


def _rounds_are_done(now: Situation, most: int) -> str:
    """That no other round comes, and whether a person wanted it so."""
    if now.context.max_rounds is None:
        return f"{plural(most, 'round')} are done: the most, unless more are asked for."
    verbs = ("was", "is") if most == 1 else ("were", "are")
    return f"{plural(most, 'round')} {verbs[0]} asked for and {verbs[1]} done."


def _is_perfect(now: Situation) -> bool:
    """Whether the best setting has the highest value there is: 1, for accuracy and R²."""
    description = now.context.description
    best = now.best_single.value if now.best is None else now.best.value
    metric = Metric(name=description.metric, maximise=description.direction == "maximize")
    return metric.has_points and metric.maximise and best >= 1.0


def _has_converged(now: Situation) -> bool:
    """Healthy curves, and the last change was within noise."""
    is_healthy = bool(now.codes) and now.codes[0] == "healthy"
    last = now.effects[-1] if now.effects else None
    within_noise = (EffectKind.LIKELY, EffectKind.REFUTED)
    return is_healthy and last is not None and last.kind in within_noise


def _can_pay(now: Situation, plan: RoundPlan) -> bool:
    """Whether a generation of that plan and the fewest repeats fit what the rounds may spend."""
    allowed = allowance(now.context, reserve=AFTER_ROUNDS)
    least = least_cost(now.context, plan)
    return least.epochs <= allowed.epochs and least.trials <= allowed.trials


def _hypothesis(now: Situation, name: str, change: Change) -> Hypothesis:
    description = now.context.description
    settings = repeated(now.context)
    spread = pooled_sd(settings)
    if now.best is not None:
        baseline, trial = now.best.value, now.best.trial
        error, count = now.best.runs[0].standard_error, len(now.best.runs)
    else:
        baseline, trial = now.best_single.value, now.best_single.number
        error, count = now.best_single.standard_error, 1
    expected = TELL_APART * floored(spread, error) * math.sqrt(2 / count)
    rival = next((each for each in settings[1:] if math.isfinite(each.score)), None)
    if now.best is not None and rival is not None:
        # The test will count the validation samples too, which a rival differs on.
        against = noise_between(now.best, rival, spread, metric=description.metric)
        expected = max(expected, against)
    worth = f"more than {number(expected, 2)}" if math.isfinite(expected) else "a gain"
    return Hypothesis(
        advice=name,
        because=change.because,
        sentence=f"{change.sentence} Expected: {worth} over {description.metric} "
        f"{baseline:.4g}, the noise between seeds.",
        changes={**change.changes, "round_plan": change.plan.model_dump(mode="json")},
        metric=description.metric,
        direction=description.direction,
        expected=expected,
        noise=spread,
        baseline=baseline,
        baseline_trial=trial,
        round=now.context.round + 1,
    )


def _stop(reason: str, sentence: str, rest: tuple[str, ...]) -> Decision:
    return Decision(None, None, reason, sentence, rest)
