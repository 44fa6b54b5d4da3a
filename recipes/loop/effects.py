"""Whether a round's change did what was expected of it, against the noise between seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.hypothesis import Effect, EffectKind, Hypothesis
from recipes.loop.situation import hypotheses, repeated
from recipes.search.champion import gain_of, replaces
from recipes.search.finalists import Finalist, noise_between, pooled_sd
from recipes.step import StepContext, StepKind
from recipes.trial import TrialPurpose
from recipes.words import number


def effects_so_far(context: StepContext) -> tuple[Effect, ...]:
    """The effects of earlier rounds as they were judged, and that of this round's change."""
    stored = [
        Effect.model_validate(effect)
        for report in context.history
        if report.kind is StepKind.LOOP
        for effect in report.learned.get("new_effects", ())
    ]
    made = [each for each in hypotheses(context.history) if each.round == context.round]
    judged = {effect.hypothesis.round for effect in stored}
    if made and context.round not in judged:
        stored.append(effect_of(made[-1], context))
    return tuple(stored)


def effect_of(hypothesis: Hypothesis, context: StepContext) -> Effect:
    """Compare the round's best finalist with the one the change had to beat.

    Confirmed: better by more than twice the standard error of the difference. Likely: by
    more than once, so the study goes on from it. Refuted: by less, or worse. Untested: one of
    the two has no mean over new seeds.
    """
    settings = repeated(context)
    mine = [each for each in settings if each.round == hypothesis.round]
    before = next((each for each in settings if each.trial == hypothesis.baseline_trial), None)
    if not mine or before is None or not math.isfinite(mine[0].score):
        return Effect(
            hypothesis=hypothesis,
            kind=EffectKind.UNTESTED,
            after=math.nan,
            gain=math.nan,
            noise=hypothesis.noise,
            sentence=f"Round {hypothesis.round}: the change could not be tested: "
            f"{_why_untested(hypothesis, context, mine)}.",
        )
    after = mine[0]
    gain, seed_sd = gain_of(after, before), pooled_sd(settings)
    noise = noise_between(after, before, seed_sd, metric=hypothesis.metric)
    if gain > noise:
        kind = EffectKind.CONFIRMED
    elif replaces(after, before, seed_sd, metric=hypothesis.metric):
        kind = EffectKind.LIKELY
    else:
        kind = EffectKind.REFUTED
    if kind is EffectKind.CONFIRMED:
        verdict = "it helped by more than noise"
    elif kind is EffectKind.LIKELY:
        verdict = (
            "that is more than one standard error and less than two, so it is kept, though not "
            "shown to help"
        )
    elif gain < -noise:
        verdict = "it made things worse; the study goes back to what was before"
    elif gain > 0:
        verdict = (
            "that is within noise, so it is not shown to help; the study goes back to what was "
            "before"
        )
    else:
        verdict = (
            "that is within noise, so it did not help; the study goes back to what was before"
        )
    return Effect(
        hypothesis=hypothesis,
        kind=kind,
        after=after.value,
        gain=gain,
        noise=noise,
        sentence=f"Round {hypothesis.round} ({hypothesis.advice.replace('_', ' ')}): expected a "
        f"gain of {hypothesis.metric} over {before.value:.4g}, got {after.value:.4g} (gain "
        f"{number(gain, 2)}, noise {number(noise, 2)}{_foreseen(hypothesis, noise)}): "
        f"{kind.value}; {verdict}.",
    )


def _why_untested(hypothesis: Hypothesis, context: StepContext, mine: Sequence[Finalist]) -> str:
    """What there is no mean of, in words that end a sentence.

    Args:
        hypothesis: What was to be tested.
        context: With the trials of its round.
        mine: That round's finalists, the best first.
    """
    if not any(
        each.purpose is TrialPurpose.REPEAT and each.round == hypothesis.round
        for each in context.search
    ):
        return "no setting was repeated with new seeds"
    if not mine or not math.isfinite(mine[0].score):
        return "every setting that was repeated lost a run with a new seed"
    return "the setting to beat has no run with a new seed"


def _foreseen(hypothesis: Hypothesis, noise: float) -> str:
    """The noise the hypothesis had named, where the new seeds showed another."""
    said = number(hypothesis.expected, 2)
    if not math.isfinite(hypothesis.expected) or said == number(noise, 2):
        return ""
    return f" where {said} was foreseen"
