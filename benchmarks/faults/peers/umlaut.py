"""Rules in the manner of UMLAUT's heuristics (Schoop, Huang, Hartmann, CHI 2021).

Restated in our own words from what its paper and its code say, with its thresholds (notes
on diagnosis, 1.2).
"""

from __future__ import annotations

import math

from benchmarks.faults.peers.evidence import PeerEvidence, Verdict, verdict

INPUT_RANGE = 1.0
HIGH_RATE, LOW_RATE = 0.01, 1e-7
SUSPICIOUS = 0.95
VAL_ABOVE_TRAIN = 0.05
FROM_EPOCH = 3


def umlaut(run: PeerEvidence) -> list[Verdict]:
    """Every heuristic that fires."""
    found = []
    inputs = run.description.inputs
    if inputs.num_non_finite or not all(map(math.isfinite, run.steps)):
        found.append(verdict("NaN in loss or inputs", "non_finite_loss", "non_finite_data"))
    if max(abs(inputs.low), abs(inputs.high)) > INPUT_RANGE:
        found.append(verdict("inputs outside -1 to 1", "inputs_not_normalised"))
    if run.lr > HIGH_RATE:
        found.append(verdict("learning rate high", "lr_too_high", "diverged", "oscillation"))
    if run.lr < LOW_RATE:
        found.append(verdict("learning rate low", "lr_too_low"))
    if _diverges(run):
        found.append(verdict("overfitting", "overfitting", "overtraining"))
    if run.val_accuracy and max(run.val_accuracy) > SUSPICIOUS:
        found.append(verdict("validation accuracy suspiciously high", "train_val_overlap"))
    pairs = list(zip(run.train_accuracy, run.val_accuracy, strict=False))[FROM_EPOCH:]
    if any(val - train > VAL_ABOVE_TRAIN for train, val in pairs):
        found.append(verdict("validation above training", "val_better_than_train"))
    outputs = run.description.outputs
    if outputs is not None and outputs.rows_sum_to_one and outputs.loss_is_cross_entropy:
        found.append(verdict("softmax before a loss on logits", "double_softmax"))
    return found


def _diverges(run: PeerEvidence) -> bool:
    """Any epoch in which validation loss rose and train loss did not."""
    steps = zip(run.train_loss, run.train_loss[1:], run.val_loss, run.val_loss[1:], strict=False)
    return any(after <= before and later > now for before, after, now, later in steps)
