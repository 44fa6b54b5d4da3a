"""Labels of which a part is wrong: the model's doubt is the same on every sample.

A model that knows which samples are hard has a lower loss than its accuracy alone tells. Labels
that were flipped at random cannot be told from the others, so there the loss comes no lower than
that of a model which gives every sample the same confidence.
"""

from __future__ import annotations

import math

from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.expectation import class_shares
from recipes.finding import Cause, Finding, Severity
from recipes.rules.curve_lr_too_high import lr_too_high_on_curve
from recipes.rules.curve_lr_too_low import lr_too_low_beside_peer, lr_too_low_on_curve
from recipes.rules.inputs_not_normalised import are_inputs_raw, scales_differ
from recipes.rules.registry import Precedence, rule
from recipes.rules.regularisation import heavy_regularisation
from recipes.rules.still_improving import still_improving
from recipes.rules.train_eval_mismatch import is_mode_at_fault
from recipes.words import number, percent

EVEN_DOUBT = 0.9
"""The loss over that of even doubt, on both splits, from which the doubt counts as even. Networks
on sound data that is hard for them lie lower, for their doubt is where their errors are: 0.5 to
0.8 for a cross-entropy of 0.9 at 70 % right of ten classes, or 1.4 at 50 % (ours)."""

LEAST_WRONG = 0.10
"""Share of the training samples that must be wrong at that epoch: with few, the loss is that of
a few samples (ours)."""

LEAST_LEARNED = 0.10
"""Points by which accuracy must exceed the largest class's share: a model that has only learned
how frequent the classes are gives every sample the same confidence, too (ours)."""

FEWEST_VAL = 50
"""Validation samples below which neither number is known well enough (ours)."""

SOURCE = (
    "Entropy of symmetric label noise (Angluin & Laird 1988, random classification noise); "
    "Jensen's inequality; notes on diagnosis, row 35"
)


@rule("noisy_labels", Precedence.NOISE)
def noisy_labels_on_curve(evidence: CurveEvidence) -> Finding | None:
    """At the epoch of the lowest validation loss, doubt is even on both splits.

    The loss of even doubt at a share e of wrong answers among C classes is the entropy of e, plus
    e ln(C - 1). Silent where training is not at its end, or something else keeps the model from
    telling samples apart: rate, regularisation, inputs, the mode.
    """
    num_answers = _num_answers(evidence)
    if num_answers is None or not is_enough("underfitting", evidence):
        return None
    if evidence.metric.name != "accuracy" or evidence.val.n < FEWEST_VAL:
        return None
    at = evidence.loss_minimum
    if at >= min(map(len, (evidence.train, evidence.train_loss, evidence.val))):
        return None
    right = {"train": float(evidence.train.smooth[at]), "val": float(evidence.val.smooth[at])}
    losses = {
        "train": float(evidence.train_loss.smooth[at]),
        "val": float(evidence.val_loss.smooth[at]),
    }
    majority = max(class_shares(evidence.description), default=1 / num_answers)
    if right["train"] > 1 - LEAST_WRONG or right["val"] < majority + LEAST_LEARNED:
        return None
    even = {split: _even_doubt(1 - share, num_answers) for split, share in right.items()}
    ratios = {split: losses[split] / even[split] for split in even}
    if not min(ratios.values()) >= EVEN_DOUBT or _is_explained(evidence):
        return None
    wrong = 1 - right["train"]
    return Finding(
        code="noisy_labels",
        severity=Severity.WARNING,
        confidence=0.75,
        sentence=f"A part of the labels looks wrong: where the validation loss is lowest, after "
        f"epoch {at + 1}, {percent(wrong)} of the training samples are wrong and the loss is "
        f"{number(losses['train'])} ({number(losses['val'])} on validation), "
        f"{percent(ratios['train'])} of that of a model which doubts every sample alike "
        f"({percent(EVEN_DOUBT)} count): it cannot tell which samples it will get wrong, as when "
        "labels were flipped at random.",
        evidence={
            "epoch": at + 1,
            "train": right["train"],
            "val": right["val"],
            "train_loss": losses["train"],
            "val_loss": losses["val"],
            "train_over_even_doubt": ratios["train"],
            "val_over_even_doubt": ratios["val"],
            "threshold": EVEN_DOUBT,
        },
        causes=(
            Cause(
                code="noisy_train_labels",
                sentence=f"Up to {percent(wrong)} of the labels are wrong.",
                confidence=0.75,
            ),
            Cause(
                code="no_signal",
                sentence="The inputs decide the labels only in part.",
                confidence=0.4,
            ),
        ),
        action="Look at twenty samples of the highest loss with their labels, and at how inputs "
        "and labels are paired. Cheapest experiment: label a hundred samples again by hand, and "
        "count.",
        source=SOURCE,
    )


def _num_answers(evidence: CurveEvidence) -> int | None:
    """Answers to choose from for each label; None where the loss is no cross-entropy of them."""
    task = evidence.description
    is_cross_entropy = task.outputs is not None and task.outputs.loss_is_cross_entropy
    if task.own_loss and not is_cross_entropy:
        return None
    if task.kind == "classification":
        return task.num_classes if task.num_classes and task.num_classes > 1 else None
    return 2 if task.kind in ("binary", "multilabel") else None


def _even_doubt(wrong: float, num_answers: int) -> float:
    """Cross-entropy of giving every sample the same confidence, at a share of wrong answers."""
    if not 0 < wrong < 1:
        return math.inf
    entropy = -wrong * math.log(wrong) - (1 - wrong) * math.log(1 - wrong)
    return entropy + wrong * math.log(num_answers - 1)


def _is_explained(evidence: CurveEvidence) -> bool:
    """Whether something else keeps the model from telling samples apart, or time does."""
    task = evidence.description
    outlook, loss = evidence.val_outlook, evidence.val_loss.end
    if outlook is not None and outlook.gain > SIGNIFICANT_ERRORS * evidence.val_loss.end_error:
        return True
    checks = (
        still_improving,
        lr_too_low_on_curve,
        lr_too_low_beside_peer,
    )
    too_high = lr_too_high_on_curve(evidence)
    if too_high is not None and too_high.severity is Severity.WARNING:
        return True  # a note of it says that a lower rate gains nothing on validation
    return (
        not math.isfinite(loss)
        or bool(heavy_regularisation(evidence))
        or is_mode_at_fault(evidence)
        or are_inputs_raw(task)
        or scales_differ(task)
        or any(check(evidence) is not None for check in checks)
    )
