"""Step 2: can the model memorise a handful of samples?

CS231n: turn regularisation off and reach a loss near zero on a tiny subset. A model that
cannot do that has a bug, and no search will find a setting that cures it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.evidence.overfit_sample import (
    OverfitEvidence,
    fitted_loss,
    overfit_evidence,
)
from recipes.packing import pack
from recipes.rules.registry import findings
from recipes.run import Sample
from recipes.seeds import derive_seed
from recipes.space import ParameterValue
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

NUM_SAMPLES = 32
"""Samples to memorise; 20 to 64 are usual (method.md, step 2)."""

ITERATIONS = 400
"""Optimiser steps a setting gets."""

LONGER_ITERATIONS = 1000
"""Steps the best setting gets when it was on its way: the most that is usual before a model
counts as unable (notes on diagnosis, row 10: 300 to 1,000)."""

LONGEST_ITERATIONS = 4000
"""Steps it gets when it would have memorised the sample within as many, at its last pace (ours):
a model that is slow is not one that is unable."""

LEARNING_RATES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Rates tried with the task's own optimiser."""

RESCUE_LEARNING_RATES = (1e-4, 1e-3, 1e-2)
RESCUE = {"optimizer": "adamw", "init": "kaiming"}
"""Tried when no rate of the task's own optimiser memorises the sample."""

STOP_SHARE = 0.5
"""A run may stop once its loss is this share of the one that counts as memorised."""

SMALL_BATCH = 8
"""Batches of so many or fewer see a quarter of the sample, and their loss tells more of which one
than of what was learned: the whole sample is one batch then (ours)."""

OWN, OTHER, ZEROED = "own optimizer", "other optimizer", "zeroed inputs"
LONGER, LONGEST, OTHER_SEED = "longer", "longest", "other seed"
LENGTHS = {LONGER: LONGER_ITERATIONS, LONGEST: LONGEST_ITERATIONS}
"""Iterations by label, where they are not ITERATIONS."""


class OverfitSample(Step):
    """Step 2. Plans memorising runs, rescues when they fail, and one on zeroed inputs."""

    kind = StepKind.OVERFIT_SAMPLE
    reads_curves = True

    def plan(self, context: StepContext) -> StepPlan:
        """Rates first; if none works, the best for longer, and longer still where that will do,
        then another optimiser, then, where nothing left chance, another seed; then the best on
        zeroed inputs."""
        center = {**context.space.center(), **context.fixed}
        if not context.trials:
            rates = sorted({*LEARNING_RATES, *_fixed_rate(context)})
            return StepPlan(
                self._jobs(context, [{**center, "lr": lr} for lr in rates], OWN),
                f"Memorise {NUM_SAMPLES} samples at {plural(len(rates), 'learning rate')}, "
                "regularisation off.",
            )
        evidence = _evidence(context)
        best = evidence.best
        if context.labelled(ZEROED) or evidence.is_undecidable:
            return StepPlan()
        if best is not None and evidence.is_on_its_way and not _tried(context, LONGER, OTHER):
            return StepPlan(
                self._jobs(context, [{**center, "lr": best.lr}], LONGER),
                f"The loss was on its way at {rate(best.lr)}: give it {LONGER_ITERATIONS} "
                "iterations.",
            )
        if (
            best is not None
            and evidence.gets_there_within(LONGEST_ITERATIONS)
            and not _tried(context, LONGEST, OTHER)
        ):
            return StepPlan(
                self._jobs(context, [{**center, "lr": best.lr}], LONGEST),
                f"At its pace it gets there at {rate(best.lr)}: give it {LONGEST_ITERATIONS} "
                "iterations.",
            )
        if not (evidence.passed or _tried(context, OTHER)) and _may_rescue(context):
            settings = [{**center, **RESCUE, "lr": lr} for lr in RESCUE_LEARNING_RATES]
            return StepPlan(
                self._jobs(context, settings, OTHER),
                "No rate memorised the sample: try another optimiser and initialisation.",
            )
        if best is None:
            return StepPlan()
        chosen = next(trial for trial in context.trials if trial.number == best.trial)
        if evidence.is_stuck and not _tried(context, OTHER_SEED):
            return StepPlan(
                self._jobs(context, [chosen.params], OTHER_SEED, seed=_other_seed(context)),
                "Nothing left chance: train the best setting with another seed, to tell an "
                "unlucky start from the setting.",
            )
        length = LENGTHS.get(chosen.label, ITERATIONS)
        return StepPlan(
            self._jobs(context, [chosen.params], ZEROED, iterations=length, seed=chosen.seed),
            "Train the best setting on zeroed inputs, which must do worse.",
        )

    def _jobs(
        self,
        context: StepContext,
        settings: Sequence[Mapping[str, ParameterValue]],
        label: str,
        *,
        iterations: int | None = None,
        seed: int | None = None,
    ) -> tuple[JobPlan, ...]:
        limit = fitted_loss(context.description)
        num_samples = min(NUM_SAMPLES, context.description.split("train").num_samples)
        trials = tuple(
            TrialPlan(
                params=_with_whole_batches(context, params, num_samples),
                # The zeroed twin starts from the weights of the run it is compared with.
                seed=derive_seed(context.seed, self.kind, "weights") if seed is None else seed,
                data_seed=derive_seed(context.seed, self.kind, "data"),
                purpose=TrialPurpose.PROBE if label == ZEROED else TrialPurpose.CHECK,
                label=label,
            )
            for params in settings
        )
        return pack(
            context,
            trials,
            {
                "iterations": iterations or LENGTHS.get(label, ITERATIONS),
                "regularisation": False,
                "evaluate": ("train",),
                "sample": Sample(
                    num_samples=num_samples,
                    seed=derive_seed(context.seed, self.kind, "sample"),
                    zero_inputs=label == ZEROED,
                ),
                "stop_if_loss_below": None if limit is None else STOP_SHARE * limit,
            },
            size=1,
        )

    def judge(self, context: StepContext) -> StepReport:
        """Passed when some setting gets every sample right at a loss near zero.

        Inconclusive where no such loss is known.
        """
        evidence = _evidence(context)
        found = findings(evidence)
        verdict = verdict_of(found)
        if evidence.is_undecidable and verdict is not StepState.FAILED:
            verdict = StepState.INCONCLUSIVE
        best = evidence.best
        healthy = _healthy(evidence)
        grave = [finding for finding in found if finding.severity != "info"]
        sentence = leading_sentence(found, healthy)
        learned: dict[str, object] = {}
        if evidence.passed and best is not None:
            learned = {"overfit_lr": best.lr, "overfit_optimizer": best.optimizer}
        return step_report(
            self,
            context,
            verdict,
            sentence,
            evidence={
                "num_samples": evidence.sample_size,
                "sample_digest": evidence.sample_digest,
                "target_loss": evidence.target,
                "best_lr": best.lr if best else None,
                "best_loss": best.end_loss if best else None,
                "best_accuracy": best.end_accuracy if best else None,
                "iterations": best.iterations if best else None,
                "p_needs_input": evidence.p_needs_input,
                "switched_off": listing(_switched_off(context), most=20)
                or "nothing to switch off",
                "left_on": listing(context.description.regularisation.left_on, most=20)
                or "nothing that could be seen",
            },
            findings=found,
            action=Action(kind="change", sentence=grave[0].action)
            if verdict is StepState.FAILED
            else Action(kind="continue", sentence="Go on to step 3: find the learning rate."),
            learned=learned,
            figures=_figures(evidence, sentence),
        )


def _with_whole_batches(
    context: StepContext, params: Mapping[str, ParameterValue], num_samples: int
) -> Mapping[str, ParameterValue]:
    """The setting, with the sample as one batch where its own batches are small."""
    own = params.get("batch_size", context.description.default_batch_size)
    is_small = isinstance(own, (int, float)) and own <= min(SMALL_BATCH, num_samples - 1)
    return {**params, "batch_size": num_samples} if is_small else params


def _evidence(context: StepContext) -> OverfitEvidence:
    return overfit_evidence(context.description, context.history, context.trials, ZEROED)


def _fixed_rate(context: StepContext) -> tuple[float, ...]:
    fixed = context.fixed.get("lr")
    return (float(fixed),) if fixed is not None else ()


def _tried(context: StepContext, *labels: str) -> bool:
    return any(context.labelled(label) for label in labels)


def _other_seed(context: StepContext) -> int:
    return derive_seed(context.seed, StepKind.OVERFIT_SAMPLE, OTHER_SEED)


def _may_rescue(context: StepContext) -> bool:
    """Whether optimiser and initialisation may be tried at all: a study may fix them."""
    return not any(name in context.fixed for name in RESCUE)


def _switched_off(context: StepContext) -> list[str]:
    return sorted({name for trial in context.trials for name in trial.outcome.switched_off})


def _healthy(evidence: OverfitEvidence) -> str:
    best = evidence.best
    if best is None:
        return "No run ended with a finite loss."
    if evidence.is_undecidable:
        return (
            f"The loss goes from {number(best.start_loss)} to {number(best.end_loss)} at learning "
            f"rate {rate(best.lr)}. Where a loss begins at 0 or below, it is not known how low it "
            f"is once {plural(evidence.sample_size, 'sample')} are memorised, so this step cannot "
            "tell whether they were."
        )
    right = "100 % of " if best.end_accuracy is not None else ""
    sentence = (
        f"{right}{plural(evidence.sample_size, 'sample')} memorised after "
        f"{plural(best.iterations, 'iteration')} at learning rate {rate(best.lr)}: loss "
        f"{number(best.start_loss)} to {number(best.end_loss)}"
    )
    if evidence.zeroed:
        sentence += f"; with zeroed inputs it stays at {number(evidence.zeroed[-1])}"
    return f"{sentence}, so model, loss and optimiser work together."


def _figures(evidence: OverfitEvidence, summary: str) -> tuple[Figure, ...]:
    lines = [
        Series(
            name=f"{run.optimizer} {rate(run.lr)}".strip(),
            x=tuple(range(len(run.losses))),
            y=run.losses,
            role="good" if run.fitted else "muted",
        )
        for run in evidence.runs
    ]
    if evidence.zeroed:
        lines.append(
            Series(
                name="zeroed inputs",
                x=tuple(range(len(evidence.zeroed))),
                y=evidence.zeroed,
                role="reference",
            )
        )
    positive = all(value > 0 for line in lines for value in line.y if value == value)
    return (
        Figure(
            name="overfit_sample",
            title=f"Train loss on {plural(evidence.sample_size, 'sample')}",
            summary=summary,
            x_label="iteration",
            y_label="loss",
            y_log=positive,
            series=tuple(lines),
            horizontal=(("memorised", evidence.target),) if evidence.target else (),
        ),
    )
