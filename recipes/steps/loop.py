"""Step 7: go round again with one change, or end the study with its final runs.

The change is a hypothesis, stored before its round runs and checked after. At the end,
once: the winner over several seeds, beside the incumbent and the average of the top few
models' predictions, on the test split if there is one.
"""

from __future__ import annotations

import math
from typing import Any

from recipes.hypothesis import Effect, EffectKind
from recipes.loop.conclusion import conclusion
from recipes.loop.decide import Decision, decide
from recipes.loop.effects import effects_so_far
from recipes.loop.finals import final_runs, plan_finals
from recipes.loop.situation import Situation, base_plan, repeated, situation
from recipes.result import Result
from recipes.search.finalists import TELL_APART
from recipes.step import (
    Action,
    Figure,
    Series,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
)
from recipes.steps.verdict import step_report
from recipes.trial import TrialPurpose
from recipes.words import number, plural


class Loop(Step):
    """Step 7. Decides on a change, which begins another round, or plans the final runs."""

    kind = StepKind.LOOP
    reads_search = True

    def plan(self, context: StepContext) -> StepPlan:
        """The final runs, once there is nothing more to change."""
        if not _ends_here(context):
            return StepPlan()
        return plan_finals(context)

    def judge(self, context: StepContext) -> StepReport:
        """Says what came of the last change, and what follows."""
        now, decision = _decide(context)
        if now is None:
            return self._report(
                context,
                StepState.INCONCLUSIVE,
                "No trial has a value, so there is nothing to conclude.",
                {"stop_reason": "budget" if context.budget.allowed.is_limited else "no_value"},
            )
        new = [each for each in now.effects if each.hypothesis.round == context.round]
        said = [effect.sentence for effect in new]
        learned: dict[str, Any] = {
            "new_effects": [effect.model_dump(mode="json") for effect in new],
            "base_plan": base_plan(context).model_dump(mode="json"),
        }
        if decision is not None and decision.hypothesis is not None:
            assert decision.plan is not None
            learned |= {
                "hypothesis": decision.hypothesis.model_dump(mode="json"),
                "round_plan": decision.plan.model_dump(mode="json"),
            }
            said.append(f"Next, round {context.round + 1}: {decision.sentence}")
            return self._report(
                context,
                StepState.PASSED,
                " ".join(said),
                learned,
                action=Action(
                    kind="loop", sentence=decision.sentence, changes=decision.hypothesis.changes
                ),
                result=conclusion(context, now),
                now=now,
            )
        reason = "skipped" if decision is None else str(decision.stop_reason)
        why = "The proposed change was skipped." if decision is None else decision.sentence
        not_tried = () if decision is None else decision.not_tried
        result = conclusion(context, now, not_tried=not_tried, ends=True)
        said += [why, _ending(context, result)]
        is_short = reason == "budget" and not final_runs(context, "winner")
        return self._report(
            context,
            StepState.INCONCLUSIVE if is_short else StepState.PASSED,
            " ".join(said),
            {**learned, "stop_reason": reason, "hypothesis": None},
            action=Action(kind="continue", sentence=_use(result)),
            result=result,
            now=now,
        )

    def _report(
        self,
        context: StepContext,
        verdict: StepState,
        sentence: str,
        learned: dict[str, Any],
        *,
        action: Action | None = None,
        result: Result | None = None,
        now: Situation | None = None,
    ) -> StepReport:
        best = result.best if result else None
        figure = _rounds_figure(context, sentence) if now else None
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "best_value": best.value if best else None,
                "standard_error": best.standard_error if best else None,
                "num_seeds": best.num_seeds if best else 0,
                "num_candidates": best.num_candidates if best else 0,
                "num_confirmed": _count(now, EffectKind.CONFIRMED),
                "num_likely": _count(now, EffectKind.LIKELY),
                "num_refuted": _count(now, EffectKind.REFUTED),
            },
            action=action,
            learned=learned,
            result=result,
            figures=(figure,) if figure else (),
        )


def _ends_here(context: StepContext) -> bool:
    """Whether the final runs are due: they have begun, or there is nothing more to change."""
    if any(trial.purpose is TrialPurpose.FINAL for trial in context.trials):
        return True
    now, decision = _decide(context)
    return now is not None and (decision is None or decision.hypothesis is None)


def _decide(context: StepContext) -> tuple[Situation | None, Decision | None]:
    """The situation and the decision; no decision when a person skipped the last one."""
    now = situation(context, effects_so_far(context))
    if now is None:
        return None, None
    last = context.history[-1] if context.history else None
    if last is not None and last.kind is StepKind.LOOP and last.state is StepState.SKIPPED:
        return now, None
    return now, decide(now)


def _ending(context: StepContext, result: Result | None) -> str:
    """The final result in a sentence."""
    if result is None:
        return ""
    best, present = result.best, result.incumbent
    name = "Best setting" if present is None or present.gain >= 0 else "The search's best setting"
    parts = [
        f"{name}: {best.metric} {best.value:.4g} ± {best.standard_error:.2g} on validation "
        f"({plural(best.num_seeds, 'seed')}, {best.n:,} samples), best of "
        f"{best.num_candidates:,} settings."
    ]
    if best.num_seeds == 1:
        parts.append("It ran once, so its luck is not known.")
    if result.test is not None:
        parts.append(
            f"On the test split, looked at once: {result.test.value:.4g} ± "
            f"{result.test.standard_error:.2g}."
        )
    if result.incumbent is not None:
        parts.append(result.incumbent.sentence)
    return " ".join(parts)


def _use(result: Result | None) -> str:
    if result is None:
        return "Give the study a larger budget."
    present = result.incumbent
    if present is not None and not present.gain > TELL_APART * present.gain_standard_error:
        return "Keep the incumbent: no setting was shown to be better."
    if result.best.num_seeds == 1:
        return "Give the study a larger budget: the best setting ran once, which may be luck."
    return "Train with the best setting."


def _count(now: Situation | None, kind: EffectKind) -> int:
    effects: tuple[Effect, ...] = now.effects if now else ()
    return sum(effect.kind is kind for effect in effects)


def _rounds_figure(context: StepContext, summary: str) -> Figure | None:
    """The best finalist of each round, and every seed of it."""
    best: dict[int, Any] = {}
    for each in repeated(context):
        best.setdefault(each.round, each)
    if not best:
        return None
    rounds = sorted(best)
    seeds = [(each, run.value) for each in rounds for run in best[each].runs]
    metric = context.description.metric
    finals = final_runs(context, "winner")
    reference: tuple[tuple[str, float], ...] = ()
    if finals:
        mean = sum(run.value for run in finals) / len(finals)
        reference = (("final runs", mean),) if math.isfinite(mean) else ()
    return Figure(
        name="rounds",
        title=f"Validation {metric} of each round's best setting",
        summary=summary,
        x_label="round",
        y_label=metric,
        direction=context.description.direction,
        series=(
            Series(
                name="one seed",
                x=tuple(float(each) for each, _ in seeds),
                y=tuple(value for _, value in seeds),
                role="muted",
                style="dots",
            ),
            Series(
                name="mean",
                x=tuple(float(each) for each in rounds),
                y=tuple(best[each].value for each in rounds),
                labels=tuple(f"round {each}: {number(best[each].value, 4)}" for each in rounds),
                role="good",
                style="dots",
            ),
        ),
        horizontal=reference,
    )
