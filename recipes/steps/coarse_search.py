"""Step 4: coarse search around the interval of step 3, in log space.

CS231n: random search from coarse to fine, 1 to 5 epochs first; stop what explodes (a loss
above three times the initial one); look whether the best lies at the border. Points are
Sobol's unless asked otherwise; trials far behind end early by synchronous halving.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recipes.evidence.search import SearchEvidence, search_evidence
from recipes.finding import Finding
from recipes.rules.registry import findings
from recipes.search.allowance import AFTER_COARSE, OVERHEAD, allowance, measured_overhead
from recipes.search.cube import to_value
from recipes.search.early_discard import discards_early
from recipes.search.figures import search_figures
from recipes.search.halving import epochs_per_trial, rungs
from recipes.search.incumbent import incumbent_trial
from recipes.search.proposals import propose
from recipes.search.region import coarse_space, narrowed, ranged
from recipes.search.rung import first_rung_text, next_rung, next_rung_plan
from recipes.search.runs import job_plans, search_trial
from recipes.search.setting_map import setting_map
from recipes.search.summary import best_of, range_text, setting
from recipes.seeds import derive_seed
from recipes.space import Categorical, ParameterValue, SearchSpace
from recipes.step import (
    Action,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
)
from recipes.steps.verdict import leading_sentence, nothing_found, step_report, verdict_of
from recipes.words import listing, plural

FEWEST_TRIALS = 8
"""What a budget leaves at least, if it leaves anything."""

MOST_TRIALS_FACTOR = 2
"""A generous budget makes the search this many times the usual size, and no more: what it
finds is a box, and the rounds use the rest better."""

LATER_PASS_SHARE = 0.5
"""A pass over a widened range has this share of the first one's trials, all of them in what
was added and the quarter of the range next to it."""

OVERLAP = 0.25

SEARCH = "search"


class CoarseSearch(Step):
    """Step 4. Plans rungs of short trials; learns the box for step 5."""

    kind = StepKind.COARSE_SEARCH
    reads_search = True

    def plan(self, context: StepContext) -> StepPlan:
        """The first rung's trials; then, rung by rung, the better half goes on."""
        if not context.trials:
            return self._first_rung(context)
        allowed = allowance(context, reserve=AFTER_COARSE)
        following = next_rung_plan(context, allowed, epochs=context.options.coarse_epochs)
        return following or StepPlan()

    def _first_rung(self, context: StepContext) -> StepPlan:
        epochs, early = context.options.coarse_epochs, discards_early(context, {})
        count = _num_trials(context)
        if count == 0:
            return StepPlan()
        space = searched_space(context)
        trials = [
            search_trial(context, params, label=SEARCH, extras={})
            for params in _proposals(context, space, count)
        ]
        if context.incumbent and not _earlier_passes(context) and context.round == 1:
            trials.insert(0, incumbent_trial(context, extras={}))
        until = rungs(epochs, early_discard=early)[0]
        return StepPlan(
            job_plans(context, trials, epochs=epochs, until=until),
            f"Train {first_rung_text(len(trials), until=until, epochs=epochs)}",
        )

    def judge(self, context: StepContext) -> StepReport:
        """Ranks; learns the fine box; wants another pass when the best lies at a soft edge."""
        evidence = _evidence(context)
        found = findings(evidence)
        best = evidence.best
        if best is None:
            return self._nothing_found(context, evidence, found)
        box, fixed = narrowed(evidence.space, evidence.ranked, evidence.relevance)
        cut = _cut(context)
        verdict = verdict_of(found)
        too_few = len(evidence.ranked) < FEWEST_TRIALS or not context.trials
        if too_few and context.budget.allowed.is_limited:
            verdict = StepState.INCONCLUSIVE
        # From a handful of trials no edge is known: the budget is better spent in the box.
        grown = None if verdict is StepState.INCONCLUSIVE else _grown(evidence)
        sentence = leading_sentence(found, _sentence(evidence) + cut)
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "num_trials": len(evidence.trials),
                "num_ranked": len(evidence.ranked),
                "num_diverged": len(evidence.diverged),
                "num_failed": len(evidence.failed),
                "best_trial": best.number,
                "best_value": best.value,
                "standard_error": best.standard_error,
                "best_epoch": best.epoch,
                "epochs": best.epochs,
            },
            findings=found,
            action=_action(evidence, grown, box, fixed),
            learned={
                "coarse_space": evidence.space.model_dump(mode="json"),
                "fine_space": box.model_dump(mode="json"),
                "fine_fixed": fixed,
                "relevance": {
                    name: each.model_dump(mode="json") for name, each in evidence.relevance.items()
                },
            },
            result=best_of(evidence.ranked, context.description),
            figures=(
                *setting_map(evidence, sentence, box=box, fixed=fixed),
                *search_figures(evidence, sentence),
            ),
            measured={OVERHEAD: measured_overhead(context)},
        )

    def _nothing_found(
        self, context: StepContext, evidence: SearchEvidence, found: Sequence[Finding]
    ) -> StepReport:
        """No trial has a value: there is nothing to go on from."""
        verdict, sentence = nothing_found(evidence, found, search="coarse search")
        action = Action(kind="continue", sentence="Give the study a larger budget.")
        if verdict is StepState.FAILED:
            action = Action(
                kind="change",
                sentence=found[0].action if found else "Correct what the first trial reports.",
            )
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "num_trials": len(evidence.trials),
                "num_diverged": len(evidence.diverged),
                "num_failed": len(evidence.failed),
            },
            findings=found,
            action=action,
        )


def searched_space(context: StepContext) -> SearchSpace:
    """What this pass searches: step 3's interval and the space, or what a pass widened."""
    earlier = _earlier_passes(context)
    if earlier and earlier[-1].action is not None and earlier[-1].action.kind == "widen":
        return SearchSpace.model_validate(earlier[-1].action.changes["space"])
    return coarse_space(context.space, context.learned)


def _earlier_passes(context: StepContext) -> list[StepReport]:
    """The round's passes before this one, oldest first.

    A pass's number does not tell whether there were any: it counts runs that became stale too,
    and the first run over a changed task is no wider pass.
    """
    return [
        report
        for report in context.history
        if report.kind is StepKind.COARSE_SEARCH and report.round == context.round
    ]


def _proposals(
    context: StepContext, space: SearchSpace, count: int
) -> list[dict[str, ParameterValue]]:
    """The pass's settings. A later pass stays in what was added, and next to it."""
    seed = derive_seed(context.seed, StepKind.COARSE_SEARCH, context.pass_number)
    kind = context.options.coarse_proposals
    before = _space_before(context)
    if before is None:
        return propose(kind, space, first=0, count=count, seed=seed)
    return propose(kind, _added(before, space), first=0, count=count, seed=seed)


def _space_before(context: StepContext) -> SearchSpace | None:
    earlier = _earlier_passes(context)
    learned = earlier[-1].learned.get("coarse_space") if earlier else None
    return None if learned is None else SearchSpace.model_validate(learned)


def _added(before: SearchSpace, after: SearchSpace) -> SearchSpace:
    """The widened ranges cut to what is new and the quarter of the old range beside it."""
    changed = {}
    for name, wider in after.root.items():
        old = before.root.get(name)
        if old is None or isinstance(wider, Categorical) or isinstance(old, Categorical):
            continue
        plain = old.model_copy(update={"zero": False}) if getattr(old, "zero", False) else old
        if wider.high > old.high:
            low = float(to_value(plain, 1 - OVERLAP))
            changed[name] = ranged(wider, low, float(wider.high))
        elif wider.low < old.low:
            high = float(to_value(plain, OVERLAP))
            changed[name] = ranged(wider, float(wider.low), high)
    return after.replace(**changed)


def _num_trials(context: StepContext) -> int:
    """How many new trials the pass has: as many as the budget's share can pay, within reason."""
    usual = context.options.coarse_trials
    is_wider = bool(_earlier_passes(context))
    allowed = allowance(context, reserve=AFTER_COARSE)
    if is_wider:
        usual = max(1, math.ceil(usual * LATER_PASS_SHARE))
    if not allowed.is_limited:
        return usual
    early = discards_early(context, {})
    cost = epochs_per_trial(context.options.coarse_epochs, early_discard=early)
    first = rungs(context.options.coarse_epochs, early_discard=early)[0]
    affordable = int(allowed.epochs / cost) if math.isfinite(allowed.epochs) else usual
    count = min(max(affordable, FEWEST_TRIALS), MOST_TRIALS_FACTOR * usual)
    if is_wider:
        if affordable < 1:
            return 0
        count = min(affordable, usual)
    if math.isfinite(allowed.trials):
        count = min(count, int(allowed.trials))
    if math.isfinite(allowed.epochs):
        count = min(count, int(allowed.epochs / first))
    return max(count, 0 if is_wider else 2)


def _evidence(context: StepContext) -> SearchEvidence:
    earlier = [
        trial
        for trial in context.search
        if trial.step == StepKind.COARSE_SEARCH.number and trial.round == context.round
    ]
    return search_evidence(
        StepKind.COARSE_SEARCH,
        context.description,
        searched_space(context),
        [*earlier, *context.trials],
        epochs=context.options.coarse_epochs,
        early_discard=discards_early(context, {}),
    )


def _cut(context: StepContext) -> str:
    """What the budget left out, in words; empty when it left nothing out."""
    if not context.trials:
        return " The budget's share left no trial for the wider range."
    epochs = context.options.coarse_epochs
    following = next_rung(context.trials, context.description, epochs=epochs)
    if following is None or not following.going_on:
        return ""
    return (
        f" The budget's share ended the search after {plural(following.done, 'epoch')}: "
        f"the rung to {following.until} was left out."
    )


def _grown(evidence: SearchEvidence) -> SearchSpace | None:
    """The space of another pass, when some edge may move."""
    wider = {edge.name: edge.wider for edge in evidence.edges if edge.wider is not None}
    return evidence.space.replace(**wider) if wider else None


def _sentence(evidence: SearchEvidence) -> str:
    best = evidence.best
    assert best is not None
    description = evidence.description
    lead = (
        f"Best of {plural(len(evidence.trials), 'trial')}: trial {best.number}, "
        f"{description.metric} {best.value:.4g} ± {best.standard_error:.2g} "
        f"({best.n:,} samples) after {plural(best.epoch, 'epoch')} at "
        f"{setting(best.trial.params, evidence.space)}."
    )
    parts = [lead]
    if evidence.diverged:
        parts.append(f"{plural(len(evidence.diverged), 'trial')} diverged.")
    matter = sorted(
        (each for each in evidence.relevance.values() if each.sensitivity == "matters"),
        key=lambda each: -each.share,
    )
    if matter:
        parts.append(f"What matters: {listing([each.name for each in matter])}.")
    elif evidence.relevance:
        count = next(iter(evidence.relevance.values())).num_trials
        parts.append(f"What matters is unknown from {plural(count, 'trial')} (20 are needed).")
    return " ".join(parts)


def _action(
    evidence: SearchEvidence,
    grown: SearchSpace | None,
    box: SearchSpace,
    fixed: Mapping[str, ParameterValue],
) -> Action:
    if grown is not None:
        names = listing(
            [
                f"{edge.name} to {range_text(edge.wider)}"
                for edge in evidence.edges
                if edge.wider is not None
            ]
        )
        return Action(
            kind="widen",
            sentence=f"The best values lie at the edge: extend {names} and search there too.",
            changes={"space": grown.model_dump(mode="json")},
        )
    ranges = [
        f"{name} {range_text(each)}"
        for name, each in box.root.items()
        if not isinstance(each, Categorical)
    ]
    sentence = "Search finely in the box of the best trials"
    sentence += f": {listing(ranges)}" if ranges else ""
    if fixed:
        sentence += f"; fixed: {setting(fixed)}"
    return Action(kind="continue", sentence=f"{sentence}.")
