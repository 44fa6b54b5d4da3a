"""A run that has memorised its samples and may yet generalise, long after."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import plural

MEMORISED = 0.99
"""Accuracy or R² on training samples from which they are memorised."""

MEMORISED_PART = 0.5
"""Share of the epochs that must have been so (ours)."""

GAP = 0.2
"""How far validation must stay behind: else there is nothing to wait for (ours)."""

LEAST_GAIN = 0.01
"""What validation must promise for as many epochs again to count as improving (ours)."""

LEAST_EPOCHS = 50
LEAST_TOKEN_EPOCHS = 20
"""Epochs from which it is worth saying; fewer where the inputs are whole numbers, as in the
algorithmic data it was found on."""

SMALL_DATA = 10_000
"""Training samples up to which it has been seen (Power et al. 2022 have up to 14,000)."""

SOURCE = "Power et al. 2022, grokking; Karpathy's recipe, leave it training; row 39"


@rule("grokking_caution", Precedence.NOTE)
def grokking_caution(evidence: CurveEvidence) -> Finding | None:
    """Memorised for half of a long run, validation far behind and flat, weight decay on."""
    metric, train, val = evidence.metric, evidence.train, evidence.val
    description = evidence.description
    is_tokens = description.inputs.dtype.startswith(("int", "uint"))
    least = LEAST_TOKEN_EPOCHS if is_tokens else LEAST_EPOCHS
    decay = evidence.series.params.get("weight_decay", 0.0)
    samples = {split.name: split.num_samples for split in description.splits}
    if not metric.has_points or min(len(train), len(val)) < least:
        return None
    if not (isinstance(decay, (int, float)) and decay > 0):
        return None
    if samples.get("train", 0) > SMALL_DATA:
        return None
    memorised = int(np.sum(train.trained >= MEMORISED))
    is_behind = evidence.gap >= GAP and float(train.trained[-1]) >= MEMORISED
    if memorised < MEMORISED_PART * len(train) or not is_behind:
        return None
    outlook = evidence.metric_outlook
    if outlook is not None and outlook.gain > max(LEAST_GAIN, val.end_error):
        return None  # validation improves already: still_improving's business
    return Finding(
        code="grokking_caution",
        severity=Severity.INFO,
        confidence=0.3,
        sentence=f"The training samples have been memorised for {plural(memorised, 'epoch')} "
        f"({metric.text(train.end)}) while validation stays at "
        f"{metric.text(val.end, val.end_error)}. That is overfitting nearly always; on small "
        "data, with weight decay, validation has been seen to rise after ten to a thousand times "
        "as many epochs, so this alone does not prove that longer is useless.",
        evidence={
            "epochs_memorised": memorised,
            "train": train.end,
            "val": val.end,
            "gap": evidence.gap,
            "weight_decay": float(decay),
            "threshold": MEMORISED,
        },
        causes=(
            Cause(
                code="overfitting",
                sentence="It overfits, and more epochs change nothing.",
                confidence=0.9,
            ),
            Cause(
                code="grokking",
                sentence="It has yet to find the rule behind the data.",
                confidence=0.1,
            ),
        ),
        action="If the data follow a rule, run one trial for "
        f"{plural(5 * evidence.epochs, 'epoch')} with this weight decay and with three times as "
        "much; otherwise read it as overfitting.",
        source=SOURCE,
    )
