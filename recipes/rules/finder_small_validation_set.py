"""Step 3: too few unseen samples to see whether the loss on them falls."""

from __future__ import annotations

from recipes.evidence.lr_finder import (
    FALL_SHARE,
    FALL_STANDARD_ERRORS,
    LrFinderEvidence,
    Rate,
)
from recipes.finding import Cause, Finding, Severity
from recipes.rules.few_samples import FEWEST_SAMPLES
from recipes.rules.inputs_not_normalised import scales_differ
from recipes.rules.overfitting import FEWEST_VAL
from recipes.rules.registry import Precedence, rule
from recipes.words import number, plural, rate

SOURCE = "Standard error of a difference of means; notes on diagnosis, row 32"

ACTION = "Give a larger validation split in data('val')."

SMALL_SPLIT = Cause(code="small_split", sentence="The validation split is small.", confidence=0.8)


@rule("small_validation_set", Precedence.LEARNING_RATE)
def small_validation_set_in_finder(evidence: LrFinderEvidence) -> Finding | None:
    """No rate is seen to help unseen samples, and a help as large as on the training samples
    could not be seen, nor is it ruled out; below ten samples, no help could.

    Of samples on another scale than the training's, noise tells of the scale, not of their number.
    """
    lowest = evidence.lowest
    if evidence.best is not None or lowest is None or not lowest.num_unseen:
        return None
    if lowest.num_unseen < FEWEST_SAMPLES:
        return _hardly_any(lowest)
    if scales_differ(evidence.description):
        return None
    fall = lowest.train_before - lowest.train_after
    noise = FALL_STANDARD_ERRORS * lowest.standard_error
    # Comparisons with NaN are false.
    if not fall > FALL_SHARE * abs(lowest.train_before) or not noise > fall:
        return None
    helps_at_most = lowest.loss_before - lowest.loss_after + noise
    if lowest.num_unseen >= FEWEST_VAL and not helps_at_most > fall:
        return None  # few as they are, they show that what was learned does not carry over
    return Finding(
        code="small_validation_set",
        severity=Severity.ERROR,
        confidence=0.8,
        sentence=f"{plural(lowest.num_unseen, 'validation sample')} are too few: at "
        f"{rate(lowest.lr)} the train loss falls by {number(fall)}, and on the validation samples "
        f"a change has to exceed {number(noise)} to be told from chance, so no rate can be seen "
        "to work.",
        evidence={
            "num_val": lowest.num_unseen,
            "train_fall": fall,
            "threshold": noise,
            "lr": lowest.lr,
        },
        causes=(
            SMALL_SPLIT,
            Cause(
                code="heavy_tail",
                sentence="Few samples have losses far above the others'.",
                confidence=0.3,
            ),
        ),
        action=ACTION,
        source=SOURCE,
    )


def _hardly_any(lowest: Rate) -> Finding:
    return Finding(
        code="small_validation_set",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"{plural(lowest.num_unseen, 'validation sample')} are too few: whatever the "
        "loss on them does may be chance, so no rate can be seen to work.",
        evidence={"num_val": lowest.num_unseen, "threshold": FEWEST_SAMPLES},
        causes=(SMALL_SPLIT,),
        action=ACTION,
        source=SOURCE,
    )
