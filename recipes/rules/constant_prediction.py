"""A model that predicts the same class for every sample."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.curve_lr_too_low import lr_too_low_beside_peer, lr_too_low_on_curve
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent, rate

EPOCHS = 3
"""Last epochs in which accuracy must not change by a single sample (row 38)."""

AT_BASELINE = 0.95
"""The loss as a share of the best constant prediction's, from which nothing was learned."""

SOURCE = "SageMaker Debugger's ClassImbalance; Deepchecks' trivial model; row 38"


@rule("constant_prediction", Precedence.NO_LEARNING)
def constant_prediction(evidence: CurveEvidence) -> Finding | None:
    """Accuracy stands at one class's share to the sample, and the loss at the prior's."""
    majority = _majority_share(evidence)
    if majority is None or evidence.metric.name != "accuracy" or evidence.baseline is None:
        return None
    if not is_enough("constant_prediction", evidence):
        return None
    last = evidence.val.trained[-EPOCHS:]
    error = evidence.train.end_error
    is_constant = float(np.ptp(last)) < 0.5 / max(1, evidence.val.n)
    if not is_constant or evidence.train.end > majority + SIGNIFICANT_ERRORS * error:
        return None
    if evidence.train_loss.end < AT_BASELINE * evidence.baseline:
        return None
    if lr_too_low_on_curve(evidence) is not None or lr_too_low_beside_peer(evidence) is not None:
        return None  # its predictions are not constant, they have not changed
    lr, dead = evidence.series.lr, evidence.series.dead_share
    return Finding(
        code="constant_prediction",
        severity=Severity.WARNING,
        confidence=0.85,
        sentence=f"The model predicts one class for every sample: validation accuracy stands at "
        f"{evidence.metric.text(float(last[-1]))} to the sample for {EPOCHS} epochs (the largest "
        f"class makes {percent(majority)}), and the train loss at "
        f"{number(evidence.train_loss.end)}, where a constant guess has "
        f"{number(evidence.baseline)}.",
        evidence={
            "val": float(last[-1]),
            "train": evidence.train.end,
            "majority_share": majority,
            "train_loss": evidence.train_loss.end,
            "baseline_loss": evidence.baseline,
            "dead_share": dead,
            "threshold": AT_BASELINE * evidence.baseline,
        },
        causes=(
            Cause(
                code="dead_network",
                sentence=f"A learning rate of {rate(lr)} has killed its units"
                + (f" ({percent(dead)} of a layer's are dead)." if dead > 0 else "."),
                confidence=0.8 if dead > 0.5 else 0.4,
            ),
            Cause(
                code="lr_low",
                sentence="It has not begun to learn.",
                confidence=0.4,
            ),
            Cause(
                code="class_imbalance",
                sentence="One class outweighs the others.",
                confidence=0.6 if majority > 0.8 else 0.1,
            ),
        ),
        action="Divide the learning rate by three; with unbalanced classes weigh the loss, and "
        "judge by a balanced metric. Cheapest experiment: one epoch at a third of the rate.",
        changes=(Adjustment(name="lr", factor=1 / 3),),
        source=SOURCE,
    )


def _majority_share(evidence: CurveEvidence) -> float | None:
    """Share of the largest class among the training samples; None when it is not known."""
    counts = evidence.description.targets.class_counts
    if counts and sum(counts):
        return max(counts) / sum(counts)
    if evidence.description.kind == "binary":
        mean = evidence.description.targets.mean
        return max(mean, 1 - mean) if 0 <= mean <= 1 else None
    return None
