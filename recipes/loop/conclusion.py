"""What the study concludes: the best setting, the incumbent beside it, the test split."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.loop.finals import AVERAGE, INCUMBENT, WINNER, averaged
from recipes.loop.situation import Situation, repeated
from recipes.outcome import Evaluation, Moments
from recipes.result import Compared, Result, TestResult
from recipes.search.finalists import (
    TELL_APART,
    Finalist,
    best_setting,
    finalists,
    noise_between,
    pooled_sd,
)
from recipes.search.scoring import error_of, mean, ranked, sd
from recipes.search.summary import best_of
from recipes.step import StepContext, StepKind, StepReport, StepState, TrialResult
from recipes.trial import TrialPurpose, TrialState
from recipes.words import number


def conclusion(
    context: StepContext,
    now: Situation,
    *,
    not_tried: Sequence[str] = (),
    ends: bool = False,
) -> Result | None:
    """The study's result as it stands: by the final runs, else by repeats, else by one run.

    Args:
        context: Step 7's, with the final runs when they are done.
        now: The situation, with hypotheses and effects.
        not_tried: Advice that was left out, in words.
        ends: Whether the study ends here: only then something was left out for good.
    """
    searched = [each for each in context.search if each.purpose is TrialPurpose.SEARCH]
    order = ranked(searched, context.description)
    settings = repeated(context)
    finals = {
        each.label: each
        for each in finalists(context.trials, context.description, TrialPurpose.FINAL)
    }
    winner = finals.get(WINNER)
    more = context.left_out.num_valued
    result = best_of(order, context.description, left_out=more)
    if winner is not None or settings:
        best = best_setting(
            winner or settings[0],
            [each for each in settings if winner is None or not _same(each, winner)],
            context.description,
            num_candidates=len(order) + more,
        )
        result = Result(best=best)
    if result is None:
        return None
    incumbent = _compared(context, winner, finals.get(INCUMBENT), settings)
    return result.model_copy(
        update={
            "incumbent": incumbent,
            "test": _test(context, winner, finals),
            "hypotheses": now.hypotheses,
            "effects": now.effects,
            "not_tried": (
                *(left_out(context) if ends else ()),
                *(f"Not tried: {each}" for each in not_tried),
            ),
        }
    )


def left_out(context: StepContext) -> tuple[str, ...]:
    """What budget or data left out of this study, in words."""
    found = []
    limited = context.budget.allowed.is_limited
    finals = [each for each in context.trials if each.purpose is TrialPurpose.FINAL]
    if not any(each.purpose is TrialPurpose.REPEAT for each in context.search) and limited:
        found.append(
            "The winner was chosen by single runs, and only then repeated with new seeds: the "
            "budget did not reach for repeats of others."
            if finals
            else "No setting was repeated with new seeds: the budget did not reach."
        )
    if not finals and limited:
        found.append("The final runs were left out: the budget did not reach.")
    if not any(split.name == "test" for split in context.description.splits):
        found.append("There is no test split: the validation value is what there is.")
    unseen = [each.outcome.message for each in finals if each.outcome.state is TrialState.COMPLETE]
    found += [f"{said.removesuffix('.')}." for said in dict.fromkeys(unseen) if said]
    return tuple(found)


def _same(a: Finalist, b: Finalist) -> bool:
    return dict(a.params) == dict(b.params)


def _compared(
    context: StepContext,
    winner: Finalist | None,
    incumbent: Finalist | None,
    settings: Sequence[Finalist],
) -> Compared | None:
    """The incumbent beside the best, seed by seed where both ran with the same seeds."""
    best = winner or (settings[0] if settings else None)
    present = incumbent or next(
        (each for each in settings if each.label == "repeat of incumbent"), None
    )
    if best is None or present is None:
        return None
    sign = 1.0 if context.description.direction == "maximize" else -1.0
    pairs = [
        sign * (a.value - b.value)
        for a in best.runs
        for b in present.runs
        if a.trial.seed == b.trial.seed
    ]
    gain = mean(pairs) if pairs else sign * (best.value - present.value)
    metric = context.description.metric
    if len(pairs) > 1:
        error = math.hypot(
            sd(pairs) / math.sqrt(len(pairs)),
            noise_between(best, present, 0.0, metric=metric) / TELL_APART,
        )
    else:
        spread = pooled_sd([best, present])
        error = noise_between(best, present, spread, metric=metric) / TELL_APART
    told_apart = abs(gain) > TELL_APART * error
    found = "best setting is" if gain > 0 else "setting that the search found is"
    verb = "better than" if gain > 0 else "worse than"
    consequence = "." if gain > 0 else ": keep the incumbent."
    sentence = (
        f"The incumbent has {metric} {present.value:.4g}; the {found} "
        f"{number(abs(gain), 2)} ± {number(error, 2)} {verb} it"
        + (consequence if told_apart else ", which is within noise: there is no reason to change.")
    )
    if dict(best.params) == dict(present.params):
        sentence = (
            f"The incumbent is the best setting found, with {metric} {present.value:.4g}: there "
            "is no reason to change."
        )
    return Compared(
        trial=present.trial,
        params=dict(present.params),
        value=present.value,
        standard_error=math.hypot(
            present.runs[0].standard_error,
            0.0 if len(present.runs) < 2 else sd(present.values) / math.sqrt(len(present.runs)),
        ),
        num_seeds=len(present.runs),
        gain=gain,
        gain_standard_error=error,
        sentence=sentence,
    )


def _test(
    context: StepContext, winner: Finalist | None, finals: dict[str, Finalist]
) -> TestResult | None:
    """The test split's numbers, from the final runs' best epochs."""
    metric = context.description.metric
    if winner is None:
        return None
    found = [_on_test(run.trial, metric) for run in winner.runs]
    values = [each for each in found if each is not None]
    if not values:
        return None
    spread = sd([each.mean for each in values])
    incumbent = finals.get(INCUMBENT)
    theirs = [_on_test(run.trial, metric) for run in incumbent.runs] if incumbent else []
    average = next((each for each in context.trials if each.label == AVERAGE), None)
    together = None if average is None else _on_test(average, metric)
    return TestResult(
        metric=metric,
        value=mean([each.mean for each in values]),
        standard_error=math.hypot(
            mean([error_of(each, metric) for each in values]),
            0.0 if math.isnan(spread) else spread / math.sqrt(len(values)),
        ),
        n=values[0].n,
        num_seeds=len(values),
        incumbent_value=mean([each.mean for each in theirs if each]) if any(theirs) else None,
        average_value=None if together is None else together.mean,
        average_standard_error=None if together is None else error_of(together, metric),
        average_of=() if together is None else tuple(each.number for each in averaged(context)),
        seen=_was_seen(context.history),
    )


def _on_test(trial: TrialResult, metric: str) -> Moments | None:
    evaluations: tuple[Evaluation, ...] = trial.outcome.at_best
    for each in evaluations:
        if each.split == "test":
            return each.metrics.get(metric)
    return None


def _was_seen(history: Sequence[StepReport]) -> bool:
    """Whether an earlier end of this study has looked at the test split."""
    return any(
        report.kind is StepKind.LOOP
        and report.state is not StepState.STALE
        and report.result is not None
        and report.result.test is not None
        for report in history
    )
