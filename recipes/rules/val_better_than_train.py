"""A model that does better on validation than on the samples it was trained on."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import SIGNIFICANT_ERRORS, CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.evidence.trial_series import EpochSeries
from recipes.finding import Cause, Finding, Severity
from recipes.metric import Metric
from recipes.rules.registry import Precedence, rule
from recipes.rules.train_eval_mismatch import is_mode_at_fault
from recipes.trend import Array
from recipes.words import plural

EPOCHS = 3
"""Last epochs that must all show it (notes on diagnosis, row 36)."""

SURE_ERRORS = 3.0
"""Standard errors from which a difference of the splits is a warning. At two, one sound split in
forty shows it in every trial, because all of them share their samples."""

SOURCE = "UMLAUT's check of validation above train, in standard errors; notes on diagnosis, row 36"


@rule("val_better_than_train", Precedence.NOISE)
def val_better_than_train(evidence: CurveEvidence) -> Finding | None:
    """Train is measured in eval mode here, so dropout and augmentation do not explain it.

    Silent where eval mode is at fault: then neither split's metric is the trained model's.
    """
    if not is_enough("val_better_than_train", evidence) or is_mode_at_fault(evidence):
        return None
    train, val, metric = evidence.train, evidence.val, evidence.metric
    sign = 1.0 if metric.maximise else -1.0
    epochs = min(len(train), len(val))
    excess = sign * (val.trained[:epochs] - train.trained[:epochs])[-EPOCHS:]
    errors = np.hypot(*(_errors(metric, each, epochs) for each in (val, train)))
    # Comparisons with NaN are false.
    if not bool(np.all(excess > SIGNIFICANT_ERRORS * errors)):
        return None
    is_sure = bool(np.all(excess > SURE_ERRORS * errors))
    shared = evidence.description.overlap.train_val
    return Finding(
        code="val_better_than_train",
        severity=Severity.WARNING if is_sure else Severity.INFO,
        confidence=0.8 if is_sure else 0.4,
        sentence=f"Validation is easier than training: {metric.label} "
        f"{metric.text(float(val.trained[epochs - 1]), float(errors[-1]))} against "
        f"{metric.text(float(train.trained[epochs - 1]))} on training samples, both in eval mode, "
        f"in each of the last {EPOCHS} epochs by more than "
        f"{'three' if is_sure else 'two'} standard errors: the split does not measure what new "
        "samples will show.",
        evidence={
            "excess": float(excess[-1]),
            "standard_error": float(errors[-1]),
            "train": float(train.trained[epochs - 1]),
            "val": float(val.trained[epochs - 1]),
            "shared_samples": shared,
            "threshold": SURE_ERRORS if is_sure else SIGNIFICANT_ERRORS,
        },
        causes=(
            *(
                (
                    Cause(
                        code="train_val_overlap",
                        sentence=f"{plural(shared, 'validation sample')} stand in the training "
                        "data too.",
                        confidence=0.8,
                    ),
                )
                if shared
                else ()
            ),
            Cause(
                code="easy_validation",
                sentence="The validation samples are easier, or come from elsewhere.",
                confidence=0.5,
            ),
            Cause(
                code="noisy_train_labels",
                sentence="Training labels are noisier than validation labels.",
                confidence=0.3,
            ),
            *(
                (
                    Cause(
                        code="chance",
                        sentence="Chance: two standard errors are passed by one split in forty.",
                        confidence=0.4,
                    ),
                )
                if not is_sure
                else ()
            ),
        ),
        action="Compare where the two splits come from, and look for near-duplicates. Cheapest "
        "experiment: split all of it anew at random; if the difference goes, the split was it.",
        source=SOURCE,
    )


def _errors(metric: Metric, series: EpochSeries, epochs: int) -> Array:
    """Standard errors of the last values, above 0 even where every sample is right."""
    last = slice(max(0, epochs - EPOCHS), epochs)
    known = zip(series.trained[last], series.standard_errors[1:][last], strict=True)
    return np.asarray([metric.error(value, error, series.n) for value, error in known])
