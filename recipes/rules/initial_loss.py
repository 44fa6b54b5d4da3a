"""An initial loss that is not the one an untrained model should have."""

from __future__ import annotations

import math

from recipes.description import TaskDescription
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.expectation import Expectation
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.inputs_not_normalised import inputs_not_normalised, loss_is_far_too_high
from recipes.rules.penalty_in_loss import explains_excess
from recipes.rules.registry import Precedence, rule
from recipes.rules.sum_reduction import sum_reduction
from recipes.words import number, percent

WARN_EXCESS = 0.3
"""Nats above ln C that are worth a warning with many classes: logits of sd 0.77 (excess s^2/2;
row 1 notes 0.1 and warns at 0.5). With C classes such logits cost 1 - 1/C of it, under a logistic
loss a quarter (both by the second-order expansion; measured 0.42 of 0.5 for 10, 0.21 for 2: notes
on diagnosis, 5.4). PyTorch's default weights on normalised features give an sd of 0.58 and 0.17
nats; of the fault bench's healthy models none exceeded 0.13, so half a nat left room."""

HINGE_MARGIN = 0.5
"""Distance from C - 1, at which the multi-class hinge loss starts, that outputs of an sd of half
make (ours)."""

LOW_MARGIN = 0.05
"""Nats below the expected loss, on top of three standard errors (row 2), those of the samples or
those between initialisations, whichever are larger."""

RELATIVE_LOW = 0.1
"""Likewise for squared errors, as a share of the expected loss: untrained outputs that happen to
go with the targets take off less (ours; six hundredths in the fault bench, the mean of five)."""

NEXT_TO_NOTHING = 0.1
"""Share of the usual loss under which a loss of the task's own starts too low to be meant. A focal
loss of two classes starts at a quarter (Lin et al. 2017, gamma 2), at half of that with weights
that balance them (ours)."""

RELATIVE_WARN = 1.0
"""Squared errors: excess as a share of the expected loss. Small random outputs add little."""

GROWING = 3.0
"""Growth of the signal from first to last hidden layer from which the layers' scale is the
likelier cause than the last one's: default initialisations let it shrink (ours)."""

GROWTH_CAUSE = Cause(
    code="init_scale",
    sentence="The signal grows from layer to layer: initial weights are too large throughout.",
    confidence=0.7,
)

OTHER_LOSS = Cause(
    code="other_loss",
    sentence="The task's own loss has another value at chance; then set expected_initial_loss.",
    confidence=0.5,
)

SIGN = Cause(
    code="sign_or_pairing",
    sentence="The loss has the wrong sign, or scores raw outputs as probabilities.",
    confidence=0.8,
)

REDUCTION = Cause(
    code="reduction_or_padding",
    sentence="The mean runs over more than the samples (padding, masked targets, an extra "
    "dimension), or num_classes is wrong.",
    confidence=0.5,
)

SOURCE = "CS231n notes, loss at chance; Karpathy's recipe; notes on diagnosis, rows 1 and 2"


@rule("initial_loss_high", Precedence.INITIAL_LOSS)
def initial_loss_high(evidence: InitialLossEvidence) -> Finding | None:
    """Initial loss above the expected one by more than untrained logits should cost.

    By chance too: each initialisation's outputs go along with the targets or against them, so
    the mean of few must lie above by its standard error as well, unless it is far too high.
    """
    expectation = evidence.expectation
    if expectation is None or not math.isfinite(evidence.excess):
        return None
    warn = RELATIVE_WARN if expectation.relative else _warn_excess(evidence.description)
    if evidence.excess <= warn or _is_hinge(evidence):
        return None
    if evidence.excess - evidence.excess_error <= warn and not loss_is_far_too_high(evidence):
        return None
    if sum_reduction(evidence) or explains_excess(evidence):
        return None  # a sum over the batch, or a penalty, explains the size by itself
    severity = Severity.ERROR if loss_is_far_too_high(evidence) else Severity.WARNING
    scale_cause = Cause(
        code="outputs_too_large",
        sentence=f"The last layer's outputs are too large: their sd is "
        f"{number(evidence.output_sd)}, and confident wrong guesses cost more than none.",
        confidence=0.6,
    )
    raw_inputs = inputs_not_normalised(evidence)
    signals = [size for _, size in evidence.hidden_signals]
    grows = len(signals) > 1 and signals[-1] > GROWING * signals[0]
    causes: tuple[Cause, ...] = (
        (Cause(code="inputs_not_normalised", sentence=raw_inputs.sentence, confidence=0.8),)
        if raw_inputs
        else ()
    )
    if not expectation.certain:
        causes += (OTHER_LOSS,)
    return Finding(
        code="initial_loss_high",
        severity=severity,
        confidence=0.9 if expectation.certain else 0.5,
        sentence=f"Initial loss {number(evidence.loss)} is above the {number(expectation.value)} "
        f"({expectation.formula}) of an untrained model: outputs have an sd of "
        f"{number(evidence.output_sd)}, so it starts out confidently wrong and spends its first "
        "iterations unlearning that.",
        evidence={
            "initial_loss": evidence.loss,
            "expected": expectation.value,
            "excess": evidence.excess,
            "excess_standard_error": evidence.excess_error,
            "output_sd": evidence.output_sd,
            "threshold": warn,
        },
        causes=(*causes, *((GROWTH_CAUSE,) if grows else ()), scale_cause),
        action="Normalise the inputs in data()."
        if raw_inputs
        else f"Scale the last layer's weights by about {number(1 / max(1.0, evidence.output_sd))} "
        "and set its bias to zero, or draw all weights by He's rule (init=kaiming).",
        changes=(Adjustment(name="standardise", value=True),)
        if raw_inputs
        else (Adjustment(name="init", value="kaiming"),),
        source=SOURCE,
    )


@rule("initial_loss_low", Precedence.INITIAL_LOSS)
def initial_loss_low(evidence: InitialLossEvidence) -> Finding | None:
    """Initial loss below what a model that knows nothing can have.

    A note where the loss is the task's own, which may start elsewhere; a warning there too
    where it starts at next to nothing, or below 0, on labels.
    """
    expectation = evidence.expectation
    if expectation is None or not math.isfinite(evidence.loss):
        return None
    negative = _is_impossible(evidence, expectation)
    # A bias at the label prior reaches the labels' entropy without having seen an input;
    # squared errors are compared with the best constant, the targets' variance.
    floor = min(expectation.value, evidence.baseline or expectation.value)
    margin = RELATIVE_LOW * floor if expectation.relative else LOW_MARGIN
    of_samples = evidence.standard_error if math.isfinite(evidence.standard_error) else 0.0
    standard_error = max(of_samples, evidence.mean_error)
    if not negative and evidence.loss >= floor - 3 * standard_error - margin:
        return None
    if not expectation.certain:
        return _low_own_loss(evidence, expectation, standard_error)
    cause, consequence = (
        (SIGN, "a loss of this kind cannot be negative, so minimising it will not train the model")
        if negative
        else (REDUCTION, "the model cannot know anything yet")
    )
    return Finding(
        code="initial_loss_low",
        severity=Severity.ERROR if negative else Severity.WARNING,
        confidence=0.9 if negative else 0.7,
        sentence=f"Initial loss {number(evidence.loss)} is below the {number(floor)} an untrained "
        f"model can reach: {consequence}.",
        evidence={
            "initial_loss": evidence.loss,
            "floor": floor,
            "standard_error": standard_error,
            "expected": expectation.value,
        },
        causes=(
            cause,
            Cause(
                code="pretrained",
                sentence="The weights are pretrained; then this is expected.",
                confidence=0.1 if negative else 0.4,
            ),
        ),
        action="Check the loss function's sign and inputs."
        if negative
        else "Check what the loss averages over; if the weights are pretrained, go on.",
        source=SOURCE,
    )


def _low_own_loss(
    evidence: InitialLossEvidence, expectation: Expectation, standard_error: float
) -> Finding:
    """The finding where what is expected is the kind's usual loss, and the task has its own."""
    is_nothing = not expectation.relative and evidence.loss < NEXT_TO_NOTHING * expectation.value
    below = (
        f"Initial loss {number(evidence.loss)} is below the {number(expectation.value)} "
        f"({expectation.formula}) that the usual loss of this kind starts at"
    )
    return Finding(
        code="initial_loss_low",
        severity=Severity.WARNING if is_nothing else Severity.INFO,
        confidence=0.7 if is_nothing else 0.5,
        sentence=f"{below}, and under {percent(NEXT_TO_NOTHING)} of it: an untrained model would "
        "have next to nothing left to learn."
        if is_nothing
        else f"{below}: the task's own loss may start there, or averages over more than the "
        "samples.",
        evidence={
            "initial_loss": evidence.loss,
            "floor": expectation.value,
            "standard_error": standard_error,
            "expected": expectation.value,
        },
        causes=(SIGN, OTHER_LOSS) if is_nothing else (OTHER_LOSS, REDUCTION),
        action="Check the loss function's sign and inputs; if they are right, set "
        "expected_initial_loss."
        if is_nothing
        else "Set expected_initial_loss to what the loss is at chance; if that is the usual one, "
        "check what the loss averages over.",
        source=SOURCE,
    )


def _is_impossible(evidence: InitialLossEvidence, expectation: Expectation) -> bool:
    """Whether the loss is negative where that of labels, known for certain, is not.

    A density's logarithm has either sign, so a regression's own loss may start below 0.
    """
    scores_labels = evidence.description.kind in ("classification", "binary", "multilabel")
    is_known = expectation.certain and expectation.value >= 0
    return evidence.loss < 0 and scores_labels and is_known


def _warn_excess(description: TaskDescription) -> float:
    """What logits of that sd cost, in nats."""
    if description.kind in ("binary", "multilabel"):
        return WARN_EXCESS / 4
    classes = description.num_classes or math.inf
    return WARN_EXCESS * (1 - 1 / classes)


def _is_hinge(evidence: InitialLossEvidence) -> bool:
    """A loss of the task's own that starts at C - 1: the multi-class hinge loss at chance."""
    expectation, classes = evidence.expectation, evidence.description.num_classes
    if expectation is None or expectation.certain or not classes:
        return False
    return abs(evidence.loss - (classes - 1)) <= HINGE_MARGIN
