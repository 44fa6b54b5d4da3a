"""A validation set too small to tell settings apart."""

from __future__ import annotations

import math

from recipes.evidence.study_curves import CONTENDER_ERRORS, StudyCurves
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import plural

NOTED_ERROR = 0.01
WARN_ERROR = 0.02
"""Standard errors of the best value, as a share of the metric's scale (points of accuracy or
R²): noted above one point (notes on diagnosis, row 32), a warning above two: then differences
of almost six points are chance."""

ROOM_SHARE = 0.12
"""Share of what is left to the metric's best that the error must exceed for a warning too: at
24 % accuracy other things are wrong than two points of uncertainty (ours)."""

SOURCE = "Deep Learning Tuning Playbook, small validation sets; binomial standard error; row 32"


@rule("small_validation_set", Precedence.NOISE)
def small_validation_set(evidence: StudyCurves) -> Finding | None:
    """The best value's standard error exceeds a point of the metric."""
    error, scale = evidence.best_error, evidence.leading.scale
    # Comparisons with NaN are false.
    if not error > NOTED_ERROR * scale:
        return None
    metric, n = evidence.leading.metric, evidence.leading.val.n
    reach = CONTENDER_ERRORS * math.sqrt(2.0) * error
    wanted = _rounded(n * (error / (NOTED_ERROR * scale)) ** 2)
    compared = len(evidence.others)
    tied = (
        f"; {evidence.num_contenders} of {plural(compared, 'other trial')} "
        f"{'lies' if evidence.num_contenders == 1 else 'lie'} that close"
        if compared
        else ""
    )
    room = 1 - evidence.best_value if metric.has_points else scale
    is_undecided = evidence.num_contenders > 0 or not compared
    warns = is_undecided and error > max(WARN_ERROR * scale, ROOM_SHARE * room)
    origin = evidence.description.split("val").origin
    cure = (
        "Give more of the data to validation (a larger split of your own in data('val'))"
        if origin == "task"
        else "Give a larger validation split in data('val')"
    )
    return Finding(
        code="small_validation_set",
        severity=Severity.WARNING if warns else Severity.INFO,
        confidence=0.95,
        sentence=f"{plural(n, 'validation sample')} are few: the best {metric.label}, "
        f"{metric.text(evidence.best_value)}, has a standard error of "
        f"{metric.difference(error)} ({metric.difference(WARN_ERROR * scale)} warn), so two "
        f"settings less than {metric.difference(reach)} apart cannot be ranked by it{tied}.",
        evidence={
            "num_val": n,
            "standard_error": error,
            "value": evidence.best_value,
            "cannot_tell_apart": reach,
            "num_contenders": evidence.num_contenders,
            "num_compared": compared,
            "num_wanted": wanted,
            "threshold": (WARN_ERROR if warns else NOTED_ERROR) * scale,
        },
        causes=(
            Cause(
                code="small_split",
                sentence=f"About {wanted:,} samples would bring the error to "
                f"{metric.difference(NOTED_ERROR * scale)}.",
                confidence=0.9,
            ),
        ),
        action=f"{cure}, or judge by k-fold cross-validation; until then take the simplest of the "
        "settings that cannot be told apart. Cheapest experiment: the best few with new seeds, "
        "compared sample by sample, which needs fewer samples.",
        source=SOURCE,
    )


def _rounded(count: float) -> int:
    """Two significant digits, upwards."""
    unit: int = 10 ** max(0, math.floor(math.log10(max(count, 1.0))) - 1)
    return math.ceil(count / unit) * unit
