"""Train mode against eval mode: measured at the end of every run, so it costs nothing.

The same weights on the same samples, once as they were trained and once as they are used
(TheDeepChecker, train against eval mode; row 42 of the notes on diagnosis).
"""

from __future__ import annotations

import math

from recipes.evidence.curves import CurveEvidence
from recipes.experiments.revising import revised
from recipes.finding import Finding
from recipes.outcome import ModeLosses
from recipes.words import number, percent

SAME = 0.1
"""Relative difference of the two losses under which the mode makes none (ours: batches of
some hundred samples scatter by a few percent)."""

FAR = 0.5
"""And from which it makes a large one (row 42: 50 %)."""


def checked_by_mode(finding: Finding, leading: CurveEvidence) -> Finding:
    """A finding whose cause would show between the modes, once they were compared.

    ``batch_norm_small_batch``: averages that do not follow make eval mode worse.
    ``underfitting`` under heavy dropout: without its noise the same weights fit far better.
    """
    losses = leading.series.mode_losses
    if losses is None or not (losses.train > 0 and losses.eval > 0):
        return finding
    if not (math.isfinite(losses.train) and math.isfinite(losses.eval)):
        return finding
    if finding.code == "batch_norm_small_batch":
        return _small_batch(finding, losses)
    blames_dropout = any(
        cause.code == "over_regularised" and "dropout" in cause.sentence
        for cause in finding.causes[:2]
    )
    return _dropout(finding, losses) if blames_dropout else finding


def _small_batch(finding: Finding, losses: ModeLosses) -> Finding:
    excess = losses.eval / losses.train - 1
    hurts = excess > SAME
    course = (
        f"Evaluated both ways, the loss of {losses.n} training samples is {number(losses.eval)} "
        f"by the running averages and {number(losses.train)} by the samples' own"
    )
    return revised(
        finding,
        sentence=f"{course}, {percent(excess)} more: the averages do not follow."
        if hurts
        else f"{course}: so far the averages follow, and it costs little.",
        confidence=max(finding.confidence, 0.95) if hurts else 0.5,
        causes={"small_batch": 0.95 if hurts else 0.6},
        evidence={"experiment": "mode_check", "eval_over_train": excess, "threshold_mode": SAME},
    )


def _dropout(finding: Finding, losses: ModeLosses) -> Finding:
    excess = losses.train / losses.eval - 1
    course = (
        f"Evaluated both ways, the loss of {losses.n} training samples is {number(losses.train)} "
        f"with dropout and {number(losses.eval)} without"
    )
    evidence: dict[str, float | str] = {
        "experiment": "mode_check",
        "train_over_eval": excess,
        "threshold_mode": FAR,
    }
    if excess > FAR:
        return revised(
            finding,
            sentence=f"{course}: it learns under far more noise than it is used with.",
            confidence=max(finding.confidence, 0.9),
            causes={"over_regularised": 0.9},
            evidence=evidence,
        )
    if excess > SAME:
        return finding
    return revised(
        finding,
        sentence=f"{course}: dropout does not hold it back.",
        confidence=finding.confidence,
        causes={"over_regularised": 0.3},
        evidence=evidence,
    )
