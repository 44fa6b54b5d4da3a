"""What the loop decides from: the findings, the best setting, and what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recipes.finding import Severity
from recipes.hypothesis import Effect, EffectKind, Hypothesis
from recipes.search.champion import repeated_settings
from recipes.search.finalists import Finalist
from recipes.search.round_plan import RoundPlan, first_plan, round_plan
from recipes.search.scoring import Scored, ranked
from recipes.step import StepContext, StepKind, StepReport
from recipes.trial import TrialPurpose

MOST_REFUTED = 2
"""Advice that failed this often is not given again (method.md, step 7)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A study at the end of a round.

    Attributes:
        context: Step 7's, its budget as it was when the step began.
        codes: Finding codes of the curves, the gravest first; then what the round's searches
            warned of.
        base: The round plan that gave the best setting so far.
        best: That setting with its repeats; None when nothing was repeated.
        best_single: The best single trial of all searches.
        hypotheses: Of all rounds, oldest first.
        effects: What came of them, the last round's included.
    """

    context: StepContext
    codes: tuple[str, ...]
    base: RoundPlan
    best: Finalist | None
    best_single: Scored
    hypotheses: tuple[Hypothesis, ...]
    effects: tuple[Effect, ...]

    def num_refuted(self, advice: str) -> int:
        """How often that advice was given and did not help."""
        return sum(
            effect.hypothesis.advice == advice and effect.kind is EffectKind.REFUTED
            for effect in self.effects
        )

    def num_given(self, advice: str) -> int:
        """How often it was given."""
        return sum(each.advice == advice for each in self.hypotheses)

    @property
    def best_params(self) -> dict[str, object]:
        """The best setting's values."""
        source = self.best.params if self.best else self.best_single.trial.params
        return dict(source)

    @property
    def edges(self) -> Sequence[Mapping[str, Any]]:
        """Where the box of the best setting's round had it at an edge, as step 5 learned it."""
        for report in reversed(self.context.history):
            if report.kind is StepKind.FINE_SEARCH and (
                self.best is None or report.round == self.best.round
            ):
                return report.learned.get("edges") or ()
        return ()

    def has(self, *codes: str) -> bool:
        """Whether one of these findings was made."""
        return any(code in self.codes for code in codes)


def situation(context: StepContext, effects: Sequence[Effect]) -> Situation | None:
    """The situation at the end of the context's round; None when no trial has a value.

    Args:
        context: Step 7's.
        effects: What came of the hypotheses so far.
    """
    searched = [each for each in context.search if each.purpose is TrialPurpose.SEARCH]
    order = ranked(searched, context.description)
    if not order:
        return None
    settings = repeated(context)
    return Situation(
        context=at_begin(context),
        codes=(*(context.learned.get("curve_findings") or ()), *_search_warnings(context)),
        base=base_plan(context),
        best=settings[0] if settings else None,
        best_single=order[0],
        hypotheses=hypotheses(context.history),
        effects=tuple(effects),
    )


def _search_warnings(context: StepContext) -> tuple[str, ...]:
    """Codes of what steps 4 and 5 warned of in the context's round, of each by its last run."""
    last = {
        report.kind: report
        for report in context.history
        if report.kind in (StepKind.COARSE_SEARCH, StepKind.FINE_SEARCH)
        and report.round == context.round
    }
    return tuple(
        finding.code
        for report in last.values()
        for finding in report.findings
        if finding.severity is not Severity.INFO
    )


def repeated(context: StepContext) -> list[Finalist]:
    """The finalists of all rounds, the one the study stands by first (``search.champion``)."""
    return repeated_settings(context.search, context.description)


def at_begin(context: StepContext) -> StepContext:
    """The context as it was when the step began, so that what the step itself runs and spends
    does not change what it had decided."""
    budget = context.budget
    spent, own = budget.spent, budget.step_spent
    before = spent.model_copy(
        update={
            name: getattr(spent, name) - getattr(own, name) for name in type(spent).model_fields
        }
    )
    return replace(
        context, trials=(), budget=replace(budget, spent=before, step_spent=type(own)())
    )


def base_plan(context: StepContext) -> RoundPlan:
    """The plan to change next: this round's when its change helped beyond noise, else the one
    that gave the setting the study stands by."""
    if context.round == 1:
        return first_plan(context)
    settings = repeated(context)
    if settings and settings[0].round == context.round:
        return round_plan(context)
    stored = context.learned.get("base_plan")
    return first_plan(context) if stored is None else RoundPlan.model_validate(stored)


def hypotheses(history: Sequence[StepReport]) -> tuple[Hypothesis, ...]:
    """Every hypothesis stored so far, oldest first."""
    return tuple(
        Hypothesis.model_validate(report.learned["hypothesis"])
        for report in history
        if report.kind is StepKind.LOOP and report.learned.get("hypothesis") is not None
    )
