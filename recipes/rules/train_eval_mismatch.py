"""A model that behaves otherwise in eval mode than it was trained to."""

from __future__ import annotations

import math

from recipes.evidence.curves import CurveEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.outcome import ModeLosses
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent

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

SOURCE = "TheDeepChecker, train against eval mode; notes on diagnosis, row 42"


@rule("train_eval_mismatch", Precedence.PROBE)
def train_eval_mismatch(evidence: CurveEvidence) -> Finding | None:
    """The same weights and samples: eval mode is random, or far worse than train mode."""
    losses = evidence.series.mode_losses
    if losses is None or evidence.series.iterations < LEAST_ITERATIONS:
        return None
    # The untrained model is evaluated in eval mode, which may be what is wrong.
    known = [evidence.start_loss, math.nan if evidence.baseline is None else evidence.baseline]
    start = min((abs(each) for each in known if math.isfinite(each)), default=0.0)
    gap = abs(losses.eval_again - losses.eval)
    if gap > RANDOM_SHARE * max(abs(losses.eval), RELEVANT_LOSS * start):
        return _random(losses)
    worse = losses.eval - losses.train > max(EXCESS * abs(losses.train), RELEVANT_LOSS * start)
    breaks = math.isfinite(losses.train) and not math.isfinite(losses.eval)
    return _worse(losses) if worse or breaks else None


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
