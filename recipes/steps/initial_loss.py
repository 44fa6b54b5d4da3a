"""Step 1: is the loss of the untrained model the one it should be?

CS231n: weight decay off, look at the initial loss; it should be what chance gives. The
static checks of the task (step 0) are judged here too.
"""

from __future__ import annotations

import math

from recipes.evidence.initial_loss import InitialLossEvidence, initial_loss_evidence
from recipes.packing import pack
from recipes.rules.registry import findings
from recipes.run import Probe
from recipes.seeds import derive_seed
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
    TrialPlan,
)
from recipes.steps.verdict import leading_sentence, step_report, verdict_of
from recipes.trial import TrialPurpose
from recipes.words import number, percent, plural

NUM_INITIALISATIONS = 5
"""Initialisations measured (method.md, step 1)."""


class InitialLoss(Step):
    """Step 1. Plans runs of no iterations; judges the loss they start from."""

    kind = StepKind.INITIAL_LOSS

    def plan(self, context: StepContext) -> StepPlan:
        """The middle of the space, initialised five times, no iteration."""
        if context.trials or not can_be_scored(context):
            return StepPlan()
        params = {**context.space.center(), **context.fixed}
        trials = tuple(
            TrialPlan(
                params=params,
                seed=derive_seed(context.seed, self.kind, index),
                data_seed=derive_seed(context.seed, self.kind, "data"),
                purpose=TrialPurpose.CHECK,
                label="initialisation",
            )
            for index in range(NUM_INITIALISATIONS)
        )
        each = math.ceil(NUM_INITIALISATIONS / context.budget.slots)
        settings = {
            "iterations": 0,
            "regularisation": False,
            "evaluate": (),
            "probes": (Probe.INITIALISATION,),
        }
        return StepPlan(
            jobs=pack(context, trials, settings, size=each),
            sentence=f"Measure the loss of {NUM_INITIALISATIONS} untrained models.",
        )

    def judge(self, context: StepContext) -> StepReport:
        """Compare with what an untrained model should have, and look for known faults."""
        evidence = initial_loss_evidence(context.description, context.trials)
        found = findings(evidence)
        verdict = verdict_of(found)
        errors = [t.outcome.message for t in context.trials if t.outcome.initialisation is None]
        sentence = leading_sentence(found, _healthy(evidence))
        if verdict is not StepState.FAILED and not evidence.initialisations:
            verdict = StepState.FAILED
            sentence = (
                "The loss of the untrained model could not be measured: "
                f"{(errors or [context.description.loss_error])[0]}"
            )
        grave = [finding for finding in found if finding.severity != "info"]
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence=_evidence(evidence),
            findings=found,
            action=Action(kind="change", sentence=grave[0].action)
            if grave
            else Action(kind="continue", sentence="Go on to step 2: overfit a small sample."),
            learned={"initial_loss": evidence.loss} if math.isfinite(evidence.loss) else {},
            figures=_figures(evidence, sentence),
        )


def can_be_scored(context: StepContext) -> bool:
    """Whether the loss of every split can be computed; the static checks say why not."""
    description = context.description
    faulty = (
        description.targets.num_out_of_range
        or description.targets.num_non_finite
        or description.inputs.num_non_finite
        or any(each.num_out_of_range or each.num_non_finite for each in description.splits)
    )
    return not faulty and description.outputs is not None


def _healthy(evidence: InitialLossEvidence) -> str:
    if not evidence.initialisations:
        return "The loss could not be measured."
    losses = evidence.losses
    spread = f"{number(min(losses), 4)} to {number(max(losses), 4)}"
    measured = (
        f"Initial loss {number(evidence.loss, 4)} "
        f"({plural(len(losses), 'initialisation')}: {spread})"
    )
    expectation = evidence.expectation
    if expectation is None:
        return f"{measured}. The task says nothing of what to expect, so nothing was compared."
    if not expectation.certain and evidence.excess <= -0.05:
        return f"{measured}. It is the task's own loss, so {expectation.formula} may not hold."
    deviation = abs(evidence.loss - expectation.value) / max(abs(expectation.value), 1e-12)
    return (
        f"{measured}; an untrained model should have {number(expectation.value, 4)} "
        f"({expectation.formula}); it is off by {percent(deviation)}, so the model starts "
        "out undecided, as it should."
    )


def _evidence(evidence: InitialLossEvidence) -> dict[str, float | str | int | None]:
    expectation = evidence.expectation
    worst_layer, dead_share = evidence.dead_share
    penalties = [state.penalty for state in evidence.initialisations]
    return {
        "initial_loss": evidence.loss,
        "standard_error": evidence.standard_error,
        "num_initialisations": len(evidence.initialisations),
        "num_samples": evidence.initialisations[0].loss.n if evidence.initialisations else 0,
        "expected": expectation.value if expectation else None,
        "formula": expectation.formula if expectation else None,
        "excess": evidence.excess,
        "output_sd": evidence.output_sd,
        "output_sd_from_excess": math.sqrt(2 * evidence.excess)
        if evidence.excess > 0 and expectation and not expectation.relative
        else 0.0,
        "half_squared_weights": sum(penalties) / len(penalties) if penalties else None,
        "dead_share": dead_share,
        "dead_share_layer": worst_layer,
    }


def _figures(evidence: InitialLossEvidence, summary: str) -> tuple[Figure, ...]:
    if not evidence.initialisations:
        return ()
    expectation = evidence.expectation
    lines = ((expectation.formula, expectation.value),) if expectation else ()
    figures = [
        Figure(
            name="initial_loss",
            title="Loss of the untrained model",
            summary=summary,
            x_label="initialisation",
            y_label="loss",
            series=(
                Series(
                    name="measured",
                    x=tuple(range(1, len(evidence.losses) + 1)),
                    y=tuple(evidence.losses),
                    style="dots",
                ),
            ),
            horizontal=lines,
            y_from_zero=True,
        )
    ]
    layers = evidence.initialisations[0].layers
    if layers:
        figures.append(
            Figure(
                name="activations",
                title="Activations of the untrained model, layer by layer",
                summary=f"Standard deviation of {plural(len(layers), 'layer')}'s outputs, first "
                f"to last: {number(layers[0].sd)} to {number(layers[-1].sd)}.",
                x_label="layer, first to last",
                y_label="standard deviation",
                y_log=all(layer.sd > 0 for layer in layers),
                series=(
                    Series(
                        name="sd",
                        x=tuple(range(1, len(layers) + 1)),
                        y=tuple(layer.sd for layer in layers),
                        labels=tuple(f"{layer.name} ({layer.kind})" for layer in layers),
                        style="dots",
                    ),
                ),
            )
        )
    return tuple(figures)
