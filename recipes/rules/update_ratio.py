"""Updates out of proportion to the weights they change."""

from __future__ import annotations

import math

from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import rate

LOW, HIGH = 1e-4, 1e-2
"""Median ||update|| / ||weight|| over tensors; about 1e-3 is usual (CS231n notes; row 25)."""

SOURCE = "CS231n notes, ratio of weights to updates; TheDeepChecker's log10 in [-4, -1]; row 25"


@rule("update_ratio_low", Precedence.INTERNALS)
def update_ratio_low(evidence: LrFinderEvidence) -> Finding | None:
    """At the best rate the weights change by less than 1e-4 of their size an iteration."""
    return _finding("update_ratio_low", evidence)


@rule("update_ratio_high", Precedence.INTERNALS)
def update_ratio_high(evidence: LrFinderEvidence) -> Finding | None:
    """At the best rate the weights change by more than 1e-2 of their size an iteration."""
    return _finding("update_ratio_high", evidence)


def _finding(code: str, evidence: LrFinderEvidence) -> Finding | None:
    # A signal of the internals is no fault while learning is not impaired (notes on
    # diagnosis, precedence): beside a rate that works, it is information.
    best = evidence.best
    if best is None or math.isnan(best.update_ratio):
        return None
    low = code == "update_ratio_low"
    if not (best.update_ratio < LOW if low else best.update_ratio > HIGH):
        return None
    side, threshold = ("below", LOW) if low else ("above", HIGH)
    return Finding(
        code=code,
        severity=Severity.INFO,
        confidence=0.6,
        sentence=f"At the best rate {rate(best.lr)} an iteration changes the weights by "
        f"{rate(best.update_ratio)} of their size, {side} the usual 1e-3 (note from "
        f"{rate(threshold)} on). The loss falls all the same.",
        evidence={"update_ratio": best.update_ratio, "lr": best.lr, "threshold": threshold},
        causes=(
            Cause(
                code="weight_scale",
                sentence="Initial weights are large." if low else "Initial weights are small.",
                confidence=0.5,
            ),
        ),
        action="Nothing to do now; look here first if longer runs stall."
        if low
        else "Nothing to do now; expect the best rate of longer runs to be lower.",
        source=SOURCE,
    )
