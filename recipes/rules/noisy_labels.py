"""Labels that do not belong to their inputs."""

from __future__ import annotations

from recipes.evidence.lr_finder import LrFinderEvidence, RateResult
from recipes.finding import Cause, Finding, Severity
from recipes.rules.activation_scale_drift import drift_and_no_rate
from recipes.rules.finder_small_validation_set import small_validation_set_in_finder
from recipes.rules.finder_underfitting import underfitting_in_finder
from recipes.rules.lr_too_low import moves_weights
from recipes.rules.registry import Precedence, rule
from recipes.rules.train_eval_mismatch import mismatch_in_finder
from recipes.rules.val_below_chance import val_below_chance_in_finder
from recipes.words import number, percent, rate

SOURCE = "Karpathy's recipe; DeepChecker's label checks; notes on diagnosis, rows 3 and 35"

STRUCTURAL = frozenset(
    {
        "activation_scale_drift",
        "class_imbalance",
        "frozen_parameters",
        "inputs_not_normalised",
        "saturated_activation",
        "vanishing_gradient",
    }
)
"""Findings of step 1 that explain a model that does not learn better than its labels do."""


EXPLANATIONS = (
    mismatch_in_finder,
    val_below_chance_in_finder,
    underfitting_in_finder,
    small_validation_set_in_finder,
    drift_and_no_rate,
)
"""Rules whose finding explains it better."""


@rule("noisy_labels", Precedence.LEARNING_RATE)
def noisy_labels(evidence: LrFinderEvidence) -> Finding | None:
    """Weights move and the small sample was memorised, but unseen samples gain nothing."""
    if evidence.best is not None or not evidence.rates or not moves_weights(evidence):
        return None
    if len(evidence.with_result(RateResult.EXPLODES)) == len(evidence.rates):
        return None
    if STRUCTURAL.intersection(evidence.earlier):
        return None  # stuck_at_chance names what step 1 found
    if any(each(evidence) is not None for each in EXPLANATIONS):
        return None
    best = evidence.lowest
    if best is None:
        return None
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
                sentence="Five hundred iterations are too few for this model to generalise.",
                confidence=0.2,
            ),
        ),
        action="Look at twenty samples with their labels; check that inputs and labels are "
        "shuffled together.",
        source=SOURCE,
    )
