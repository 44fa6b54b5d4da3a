"""A model that behaves otherwise in eval mode than it was trained to."""

from __future__ import annotations

import math

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.outcome import ModeLosses
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, plural, rate

EXCESS = 0.5
"""Loss in eval mode over that in train mode, minus one (row 42: 50 %). The other way round is
what dropout does."""

RELEVANT_LOSS = 0.1
"""The difference that counts, as a share of what a constant prediction's loss is (or the
untrained model's, if that is lower): between two losses near zero half is nothing (ours)."""

RANDOM_SHARE = 1e-3
"""Relative difference of two passes in eval mode that rounding does not make."""

LEAST_ITERATIONS = 50
"""Before them batch norm's running averages, which keep 0.9 an iteration, may still hold their
initial values (0.9^50 is half a percent)."""

MODE_SDS = 1e-3
"""Difference between the two modes' outputs, in their sd, that rounding does not make."""

UNSETTLED = 0.1
"""Share of batch norm's running statistics that are still initial values at the end, from which
the run was too short for them (ours)."""

SOURCE = "TheDeepChecker, train against eval mode; notes on diagnosis, row 42"


@rule("train_eval_mismatch", Precedence.PROBE)
def train_eval_mismatch(evidence: CurveEvidence) -> Finding | None:
    """The same weights and samples: eval mode is random, or far worse than train mode.

    Or batch norm's running statistics cannot have followed in so few iterations.
    """
    iterations, momentum = evidence.series.iterations, evidence.description.batch_norm_momentum
    if iterations < LEAST_ITERATIONS:
        return None
    losses = evidence.series.mode_losses
    # The untrained model is evaluated in eval mode, which may be what is wrong.
    known = [evidence.start_loss, math.nan if evidence.baseline is None else evidence.baseline]
    start = min((abs(each) for each in known if math.isfinite(each)), default=0.0)
    found = None if losses is None else _of_losses(losses, start)
    if losses is not None and found is not None and not _lasts(evidence, losses):
        found = None
    if found is None and momentum is not None:
        initial = (1.0 - momentum) ** iterations
        found = _unsettled(momentum, iterations, initial) if initial > UNSETTLED else None
    return found


@rule("train_eval_mismatch", Precedence.PROBE)
def mode_in_forward(evidence: InitialLossEvidence) -> Finding | None:
    """With dropout off and batch norm held, the untrained model still asks for its mode."""
    outputs = evidence.description.outputs
    if outputs is None or outputs.mode_difference <= MODE_SDS:
        return None
    return Finding(
        code="train_eval_mismatch",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence="The model computes something else in eval mode: with dropout off and batch norm "
        f"held, outputs of the same weights and samples differ by up to "
        f"{number(outputs.mode_difference)} of their sd between the modes, where they must be "
        "equal. What is evaluated is not the model that is trained.",
        evidence={"mode_difference": outputs.mode_difference, "threshold": MODE_SDS},
        causes=(
            Cause(
                code="mode_in_forward",
                sentence="forward(), or a layer of your own, asks for self.training.",
                confidence=0.9,
            ),
        ),
        action="Look for self.training in forward(), and move preprocessing that depends on it "
        "into augment(). Cheapest experiment: the outputs of one batch in both modes, layer by "
        "layer.",
        source=SOURCE,
    )


@rule("train_eval_mismatch", Precedence.PROBE)
def mismatch_in_finder(evidence: LrFinderEvidence) -> Finding | None:
    """No rate helps unseen samples, and training samples are as badly off in eval mode."""
    if evidence.best is not None:
        return None
    trained = [each for each in evidence.rates if each.mode_losses is not None]
    lowest = min(trained, key=lambda each: each.train_after, default=None)
    if lowest is None or lowest.mode_losses is None:
        return None
    known = [lowest.train_before, *([] if evidence.baseline is None else [evidence.baseline])]
    start = min((abs(each) for each in known if math.isfinite(each)), default=0.0)
    return _of_losses(lowest.mode_losses, start)


def is_mode_at_fault(evidence: CurveEvidence) -> bool:
    """Whether what is evaluated is not the model that is trained: then neither split's metric
    tells of its fit."""
    outputs = evidence.description.outputs
    if outputs is not None and outputs.mode_difference > MODE_SDS:
        return True
    return train_eval_mismatch(evidence) is not None


def _lasts(evidence: CurveEvidence, losses: ModeLosses) -> bool:
    """Whether the last epochs show it as well as the very end.

    Where weights swing, the running averages lag behind them at one moment and not at the next:
    that is the swing's doing, and one measurement may fall on either.
    """
    if not math.isfinite(losses.eval):
        return True
    if abs(losses.eval_again - losses.eval) > RANDOM_SHARE * abs(losses.eval):
        return True
    usual = evidence.train_loss.end  # in eval mode, the median of the last epochs
    return not usual - losses.train <= EXCESS * abs(losses.train)  # true where unknown


def _of_losses(losses: ModeLosses, start: float) -> Finding | None:
    """What the two modes' losses show, beside the loss of a model that knows nothing."""
    gap = abs(losses.eval_again - losses.eval)
    if gap > RANDOM_SHARE * max(abs(losses.eval), RELEVANT_LOSS * start):
        return _random(losses)
    worse = losses.eval - losses.train > max(EXCESS * abs(losses.train), RELEVANT_LOSS * start)
    breaks = math.isfinite(losses.train) and not math.isfinite(losses.eval)
    return _worse(losses) if worse or breaks else None


def _unsettled(momentum: float, iterations: int, initial: float) -> Finding:
    return Finding(
        code="train_eval_mismatch",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"Batch norm's running averages cannot follow: at a momentum of "
        f"{rate(momentum)} they still hold {percent(initial)} of their initial values after "
        f"{plural(iterations, 'iteration')} ({percent(UNSETTLED)} count), so eval mode does not "
        "see the statistics that training sees.",
        evidence={
            "momentum": momentum,
            "initial_share": initial,
            "iterations": iterations,
            "threshold": UNSETTLED,
        },
        causes=(
            Cause(
                code="batch_norm_statistics",
                sentence="The momentum is too small: torch's is the new value's share.",
                confidence=0.9,
            ),
            Cause(
                code="too_short",
                sentence="The run is too short for it.",
                confidence=0.3,
            ),
        ),
        action="Leave batch norm's momentum at 0.1 (in torch's sense, the new value's share). "
        "Cheapest experiment: a pass over the training data in train mode without steps, then "
        "evaluate again.",
        source=SOURCE,
    )


def _random(losses: ModeLosses) -> Finding:
    return Finding(
        code="train_eval_mismatch",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"The model is random in eval mode: two passes over the same {losses.n} samples "
        f"give losses of {number(losses.eval, 4)} and {number(losses.eval_again, 4)}, where they "
        "must be equal. Every validation value is worse than it could be, and changes when it is "
        "measured again.",
        evidence={
            "eval_loss": losses.eval,
            "eval_loss_again": losses.eval_again,
            "train_loss": losses.train,
            "num_samples": losses.n,
            "threshold": RANDOM_SHARE,
        },
        causes=(
            Cause(
                code="dropout_left_on",
                sentence="A functional dropout is called without training=self.training.",
                confidence=0.8,
            ),
            Cause(
                code="noise_in_forward",
                sentence="forward() draws random numbers whatever the mode.",
                confidence=0.4,
            ),
        ),
        action="Use nn.Dropout, or F.dropout(x, p, training=self.training). Cheapest experiment: "
        "call model.eval() and compare two outputs of the same input, layer by layer.",
        source=SOURCE,
    )


def _worse(losses: ModeLosses) -> Finding:
    excess = losses.eval / losses.train - 1 if losses.train > 0 else math.inf
    return Finding(
        code="train_eval_mismatch",
        severity=Severity.WARNING,
        confidence=0.85,
        sentence=f"The same weights on the same {losses.n} training samples have a loss of "
        f"{number(losses.eval)} in eval mode and {number(losses.train)} in train mode, "
        f"{percent(excess)} more where {percent(EXCESS)} count: what is evaluated is not the "
        "model that was trained.",
        evidence={
            "eval_loss": losses.eval,
            "train_loss": losses.train,
            "excess": excess,
            "num_samples": losses.n,
            "threshold": EXCESS,
        },
        causes=(
            Cause(
                code="batch_norm_statistics",
                sentence="Batch norm's running averages do not follow: a momentum that is too "
                "small, or batches too small or unlike each other.",
                confidence=0.7,
            ),
            Cause(
                code="mode_in_forward",
                sentence="forward() does something else when self.training is off.",
                confidence=0.4,
            ),
            Cause(
                code="lr_high",
                sentence="Weights change faster than the running averages do.",
                confidence=0.3,
            ),
        ),
        action="Leave batch norm's momentum at 0.1 (in torch's sense, the new value's share), and "
        "look for self.training in forward(). Cheapest experiment: a pass over the training data "
        "in train mode without steps, then evaluate again; if the loss comes down, it was the "
        "statistics.",
        source=SOURCE,
    )
