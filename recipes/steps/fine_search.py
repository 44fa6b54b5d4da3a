"""Step 5: fine search in the box of the best, then the finalists again with new seeds.

10 to 20 epochs, no learning-rate decay in the first round. Proposals come a generation at
a time: from the results of completed generations, never on which worker was faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.evidence.finalists import FinalistsEvidence
from recipes.evidence.search import SearchEvidence, search_evidence
from recipes.finding import Finding
from recipes.result import Result
from recipes.rules.registry import findings
from recipes.search.allowance import (
    AFTER_ROUNDS,
    OVERHEAD,
    Allowance,
    allowance,
    measured_overhead,
)
from recipes.search.champion import repeated_settings
from recipes.search.early_discard import discards_early
from recipes.search.figures import finalists_figure, search_figures
from recipes.search.finalists import Finalist, best_setting, finalists, pooled_sd
from recipes.search.generations import generation_of, generations, next_size, propose_generation
from recipes.search.halving import epochs_per_trial, rungs
from recipes.search.incumbent import incumbent_number, incumbent_trial
from recipes.search.overlay import curve_overlay
from recipes.search.round_plan import (
    DEFAULT_ROUNDS,
    ENOUGH_REPEATED,
    FEWEST_REPEATED,
    RoundPlan,
    least_cost,
    round_plan,
)
from recipes.search.rung import first_rung_text, next_rung_plan
from recipes.search.runs import job_plans, repeat_trials, search_trial
from recipes.search.scoring import Scored, epochs_done, ranked
from recipes.search.setting_map import setting_map
from recipes.search.summary import best_of, setting
from recipes.space import ParameterValue
from recipes.step import (
    Action,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
    TrialPlan,
)
from recipes.steps.verdict import leading_sentence, nothing_found, step_report, verdict_of
from recipes.trial import TrialPurpose, TrialState
from recipes.words import number, plural

MOST_TRIALS_FACTOR = 4
"""A generous budget makes a round's search this many times the usual size, and no more."""

FEWEST_SEARCHED = 2
"""Trials below which there is nothing to compare."""

FINALISTS_AND_SEEDS = ((3, 3), (3, 2), ENOUGH_REPEATED, FEWEST_REPEATED, (1, 1))
"""Settings to repeat and new seeds for each, the first that fits (3 to 5 repeats: notes on
diagnosis, row 48)."""


class FineSearch(Step):
    """Step 5. Plans generations and their rungs, then repeats; learns the best setting."""

    kind = StepKind.FINE_SEARCH
    reads_search = True

    def plan(self, context: StepContext) -> StepPlan:
        """The next rung, the next generation, or the finalists' repeats."""
        if any(trial.purpose is TrialPurpose.REPEAT for trial in context.trials):
            return StepPlan()
        chosen, allowed = round_plan(context), round_allowance(context)
        searching = _less_repeats(context, chosen, allowed)
        waiting = _waiting(context)
        if waiting:
            following = next_rung_plan(context, searching, epochs=chosen.epochs)
            if following is not None and following.jobs:
                return following
        elif _wants_generation(context, chosen, searching):
            return _generation(context, chosen, searching)
        return _repeats(context, chosen, allowed, discard=waiting)

    def judge(self, context: StepContext) -> StepReport:
        """Ranks the finalists by their means; learns which settings are tied."""
        chosen = round_plan(context)
        evidence = _evidence(context, chosen)
        settings = finalists(context.trials, context.description, TrialPurpose.REPEAT)
        found = list(findings(evidence))
        best = evidence.best
        if best is None:
            return self._nothing_found(context, evidence, found)
        if settings:
            found += findings(_finalists_evidence(settings, evidence))
        verdict = verdict_of(found)
        if not settings and context.budget.allowed.is_limited:
            verdict = StepState.INCONCLUSIVE
        healthy = _sentence(context, evidence, settings, chosen) + _cut(context, chosen, settings)
        sentence = leading_sentence(found, healthy)
        figures = [*curve_overlay(evidence), *setting_map(evidence, sentence)]
        figures += search_figures(evidence, sentence)
        if settings:
            figures.insert(0, finalists_figure(settings, context.description, healthy))
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "num_trials": len(evidence.trials),
                "num_diverged": len(evidence.diverged),
                "num_failed": len(evidence.failed),
                "best_trial": best.number,
                "best_value": best.value,
                "standard_error": best.standard_error,
                "num_finalists": len(settings),
                "best_mean": settings[0].value if settings else None,
                "seed_sd": pooled_sd(settings) if settings else None,
                "epochs": chosen.epochs,
            },
            findings=found,
            action=Action(kind="continue", sentence="Read the curves of these trials."),
            learned={
                "edges": [
                    {
                        "name": edge.name,
                        "wider": edge.wider.model_dump(mode="json"),
                        "side": edge.side,
                    }
                    for edge in evidence.edges
                    if edge.wider is not None
                ],
            },
            result=study_best(context),
            figures=figures,
            measured={OVERHEAD: measured_overhead(context)},
        )

    def _nothing_found(
        self, context: StepContext, evidence: SearchEvidence, found: Sequence[Finding]
    ) -> StepReport:
        verdict, sentence = nothing_found(evidence, found, search="fine search")
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={"num_trials": len(evidence.trials), "num_diverged": len(evidence.diverged)},
            findings=found,
            action=Action(
                kind="change" if verdict is StepState.FAILED else "continue",
                sentence=found[0].action if found else "Look at what the first trial reports.",
            ),
            result=study_best(context),
        )


def round_allowance(context: StepContext) -> Allowance:
    """What this round's search may still run: its share of what the finalists leave."""
    rounds = max(1, (context.max_rounds or DEFAULT_ROUNDS) - context.round + 1)
    whole, own = allowance(context, reserve=AFTER_ROUNDS), context.budget.step_spent
    least = least_cost(context, round_plan(context))
    # One whole round is worth more than three halves of one.
    for left, spent, cost in (
        (whole.epochs, own.epochs, least.epochs),
        (whole.trials, own.trials, least.trials),
    ):
        if math.isfinite(left):
            rounds = max(1, min(rounds, int((left + spent) / cost)))
    return allowance(context, reserve=AFTER_ROUNDS, rounds=rounds)


def study_best(context: StepContext) -> Result | None:
    """The setting the study stands by so far: by repeats where there are some."""
    trials = [*context.search, *context.trials]
    settings = repeated_settings(trials, context.description)
    searched = ranked(
        [each for each in trials if each.purpose is TrialPurpose.SEARCH], context.description
    )
    more = context.left_out.num_valued
    if not settings:
        return best_of(searched, context.description, left_out=more)
    best = best_setting(
        settings[0], settings[1:], context.description, num_candidates=len(searched) + more
    )
    return Result(best=best)


def _waiting(context: StepContext) -> tuple[int, ...]:
    return tuple(
        each.number for each in context.trials if each.outcome.state is TrialState.WAITING
    )


def _less_repeats(context: StepContext, chosen: RoundPlan, allowed: Allowance) -> Allowance:
    """What searching may run: the fewest repeats are held back, as long as the next rung.

    Without them the round could not say what its best setting is worth. All of it where the
    budget does not reach for both: a search without repeats is better than nothing. Another
    generation has repeats in its own price.
    """
    if context.trials and not _waiting(context):
        return allowed
    settings, seeds = FEWEST_REPEATED
    if context.incumbent and context.round == 1:
        settings += 1
    count = settings * seeds
    early = discards_early(context, chosen.extras)
    pauses = rungs(chosen.epochs, early_discard=early)
    done = max(map(epochs_done, context.trials), default=0)
    following = next((each for each in pauses if each > done), chosen.epochs)
    left = allowed.without(count, following)
    is_enough = (
        allowed.fits(count, done) and count <= allowed.trials
        if context.trials
        else left.epochs >= FEWEST_SEARCHED * pauses[0] and left.trials >= FEWEST_SEARCHED
    )
    return left if is_enough else allowed


def _wants_generation(context: StepContext, chosen: RoundPlan, allowed: Allowance) -> bool:
    """Whether another generation belongs to the round: by count, or as the budget pays."""
    if not generations(context.trials):
        early = discards_early(context, chosen.extras)
        first = FEWEST_SEARCHED * rungs(chosen.epochs, early_discard=early)[0]
        return allowed.epochs >= first and allowed.trials >= FEWEST_SEARCHED
    size = _next_size(context, allowed)
    if not allowed.is_limited:
        return size > 0
    early = discards_early(context, chosen.extras)
    cost = size * epochs_per_trial(chosen.epochs, early_discard=early)
    settings, seeds = ENOUGH_REPEATED
    repeats = settings * seeds * chosen.epochs
    return (
        size > 0 and cost + repeats <= allowed.epochs and allowed.trials >= size + settings * seeds
    )


def _next_size(context: StepContext, allowed: Allowance) -> int:
    """Settings of the next generation; 0 when the round has had its own."""
    factor = MOST_TRIALS_FACTOR if allowed.is_limited else 1
    return next_size(context, most=factor * context.options.fine_trials)


def _generation(context: StepContext, chosen: RoundPlan, allowed: Allowance) -> StepPlan:
    """A generation's first rung: the incumbent and the anchors first, then proposals."""
    early = discards_early(context, chosen.extras)
    until = rungs(chosen.epochs, early_discard=early)[0]
    index = len(generations(context.trials)) + 1
    size = _next_size(context, allowed)
    if math.isfinite(allowed.trials):
        size = min(size, int(allowed.trials))
    if math.isfinite(allowed.epochs):
        size = max(min(size, int(allowed.epochs / until)), min(size, FEWEST_SEARCHED))
    label = generation_of(index)
    planned: list[TrialPlan] = []
    settings: list[dict[str, ParameterValue]] = []
    if index == 1:
        settings = [dict(anchor) for anchor in chosen.anchors][:size]
        if context.incumbent and context.round == 1:
            planned = [incumbent_trial(context, extras=chosen.extras)]
    count = size - len(settings)
    settings += propose_generation(context, chosen, index=index, count=count)
    planned += [
        search_trial(context, {**chosen.fixed, **params}, label=label, extras=chosen.extras)
        for params in settings
    ]
    return StepPlan(
        job_plans(context, planned, epochs=chosen.epochs, until=until),
        f"Generation {index}: train "
        f"{first_rung_text(len(planned), until=until, epochs=chosen.epochs)}",
    )


def _repeats(
    context: StepContext, chosen: RoundPlan, allowed: Allowance, *, discard: tuple[int, ...]
) -> StepPlan:
    """The best settings again, with seeds of their own; the incumbent with them in round 1."""
    order = _searched(context)
    if not order:
        return StepPlan(discard=discard)
    epochs = max(each.epochs for each in order)
    for num_settings, num_seeds in FINALISTS_AND_SEEDS:
        sources = _distinct(order)[:num_settings]
        present = incumbent_number(context.trials)
        if present is not None and context.round == 1:
            sources += [each for each in order if each.number == present and each not in sources]
        count = len(sources) * num_seeds
        if allowed.fits(count, epochs) and count <= allowed.trials:
            planned = [
                repeat
                for source in sources
                for repeat in repeat_trials(context, source.trial, num_seeds)
            ]
            return StepPlan(
                job_plans(context, planned, epochs=epochs, keep_snapshot=True),
                f"Run {plural(len(sources), 'finalist')} again with "
                f"{plural(num_seeds, 'new seed')} each.",
                discard=discard,
            )
    return StepPlan(discard=discard)


def _searched(context: StepContext) -> list[Scored]:
    """This round's search trials that went furthest first, the best first among those."""
    trials = [each for each in context.trials if each.purpose is TrialPurpose.SEARCH]
    longest = max(map(epochs_done, trials), default=0)
    order = ranked(trials, context.description)
    return sorted(order, key=lambda each: each.epochs < longest)


def _distinct(order: Sequence[Scored]) -> list[Scored]:
    """Without settings that stand there already."""
    found: list[Scored] = []
    for each in order:
        if all(dict(each.trial.params) != dict(other.trial.params) for other in found):
            found.append(each)
    return found


def _evidence(context: StepContext, chosen: RoundPlan) -> SearchEvidence:
    trials = [each for each in context.trials if each.purpose is TrialPurpose.SEARCH]
    return search_evidence(
        StepKind.FINE_SEARCH,
        context.description,
        chosen.space,
        trials,
        epochs=chosen.epochs,
        early_discard=discards_early(context, chosen.extras),
    )


def _finalists_evidence(
    settings: Sequence[Finalist], evidence: SearchEvidence
) -> FinalistsEvidence:
    return FinalistsEvidence(
        description=evidence.description,
        settings=tuple(settings),
        num_candidates=len(evidence.ranked),
    )


def _cut(context: StepContext, chosen: RoundPlan, settings: Sequence[Finalist]) -> str:
    """What the budget left out, in words."""
    if not context.budget.allowed.is_limited:
        return ""
    longest = max((epochs_done(each) for each in context.trials), default=0)
    parts = []
    if longest < chosen.epochs:
        parts.append(f"trials ended at {longest} of {plural(chosen.epochs, 'epoch')}")
    if not settings:
        parts.append("the best setting was not repeated with new seeds")
    return f" For want of budget {' and '.join(parts)}." if parts else ""


def _sentence(
    context: StepContext,
    evidence: SearchEvidence,
    settings: Sequence[Finalist],
    chosen: RoundPlan,
) -> str:
    best = evidence.best
    assert best is not None
    description = context.description
    count = len(evidence.trials)
    if not settings:
        return (
            f"Best of {plural(count, 'trial')}: trial {best.number}, {description.metric} "
            f"{best.value:.4g} ± {best.standard_error:.2g} ({best.n:,} samples) at epoch "
            f"{best.epoch} with {setting(best.trial.params, evidence.space)}; one run, so its "
            "luck is not known."
        )
    top = settings[0]
    whole = best_setting(top, settings[1:], description, num_candidates=count)
    sentence = (
        f"Best setting of {count}: {description.metric} {whole.value:.4g} ± "
        f"{whole.standard_error:.2g} (mean of {plural(len(top.runs), 'new seed')}, {whole.n:,} "
        f"samples) with {setting(top.params, evidence.space)}"
    )
    if chosen.extras:
        sentence += f", {setting(chosen.extras)}"
    if not math.isnan(pooled_sd(settings)):
        sentence += f"; seeds differ by {number(pooled_sd(settings), 2)} (sd)"
    if best.score > top.score:
        sentence += (
            f". Chosen as the best of {count}, a single run had shown {best.value:.4g}: "
            "the repeats are what to believe"
        )
    return f"{sentence}."
