"""Labels that do not belong to their inputs."""

from __future__ import annotations

import math

from recipes.evidence.lr_finder import LrFinderEvidence, RateResult
from recipes.finding import Cause, Finding, Severity
from recipes.rules.lr_too_low import moves_weights
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, rate

SOURCE = "Karpathy's recipe; DeepChecker's label checks; notes on diagnosis, rows 3 and 35"

STRUCTURAL = frozenset({"activation_scale_drift", "frozen_parameters"})
"""Findings of step 1 that explain a model that does not learn better than its labels do."""


@rule("noisy_labels", Precedence.LEARNING_RATE)
def noisy_labels(evidence: LrFinderEvidence) -> Finding | None:
    """Weights move and the small sample was memorised, but unseen samples gain nothing."""
    if evidence.best is not None or not evidence.rates or not moves_weights(evidence):
        return None
    if len(evidence.with_result(RateResult.EXPLODES)) == len(evidence.rates):
        return None
    if STRUCTURAL.intersection(evidence.earlier):
        return None  # stuck_at_chance names what step 1 found
    finite = [each for each in evidence.rates if math.isfinite(each.loss_after)]
    best = min(finite, key=lambda each: each.train_after)
    return Finding(
        code="noisy_labels",
        severity=Severity.ERROR,
        confidence=0.85,
        sentence="The labels look shuffled against the inputs: no learning rate lowers the loss "
        f"on unseen samples (at {rate(best.lr)}, where the train loss falls most, it goes from "
        f"{number(best.loss_before)} to {number(best.loss_after)}), though the weights move and "
        + (
            "step 2 could memorise a few samples."
            if evidence.overfit_lr
            else f"the train loss falls by {percent(evidence.largest_train_fall)}."
        ),
        evidence={
            "best_lr": best.lr,
            "loss_before": best.loss_before,
            "loss_after": best.loss_after,
            "largest_train_fall": evidence.largest_train_fall,
            "largest_update_ratio": evidence.largest_update_ratio,
        },
        causes=(
            Cause(
                code="labels_mismatched",
                sentence="Inputs and labels are paired wrongly (an index, a join, "
                "a shuffle of one).",
                confidence=0.8,
            ),
            Cause(
                code="no_signal",
                sentence="The inputs say nothing about the labels.",
                confidence=0.3,
            ),
            Cause(
                code="too_short",
                sentence="A hundred iterations are too few for this model to generalise.",
                confidence=0.2,
            ),
        ),
        action="Look at twenty samples with their labels; check that inputs and labels are "
        "shuffled together.",
        source=SOURCE,
    )
