"""A loss that stood still at the start before it began to fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import Array, bend, robust_sd, running_median
from recipes.words import number, percent, plural

FLAT_PART = 0.05
"""Share of the iterations the loss must have stood still (notes on diagnosis, row 19)."""

STILL_SHARE = 0.02
"""Change over the flat piece, as a share of its level, that counts as none."""

AT_CHANCE = 0.10
"""How close the flat piece must lie to the best constant prediction's loss."""

DROP_SHARE = 0.10
DROP_SDS = 6.0
"""Fall after it, as a share of its level and in sds of the loss, that counts as a drop."""

WARN_PART = 0.20
"""Share of the iterations lost from which it is worth a warning (ours)."""

MIN_BLOCKS = 5
"""Points of the flat piece: fewer are a corner, not a floor."""

SOURCE = "Karpathy's recipe, initialise well; notes on diagnosis, row 19"


@dataclass(frozen=True, slots=True)
class _Floor:
    level: float
    start: int  # blocks before it, in which the loss came down to chance
    length: int  # blocks
    end: float  # the loss as far behind the bend as the floor is long


@rule("flat_then_drop", Precedence.INTERNALS)
def flat_then_drop(evidence: CurveEvidence) -> Finding | None:
    """Best two lines up to the middle of the fall: the first one level and long, near chance.

    A warm-up that lasts as long explains it, and silences the rule.
    """
    if not is_enough("flat_then_drop", evidence):
        return None
    blocks = evidence.series.blocks
    floor = _floor(blocks, evidence.baseline)
    if floor is None or floor.length < max(MIN_BLOCKS, FLAT_PART * len(blocks)):
        return None
    part = floor.length / len(blocks)
    if evidence.series.warmup_share >= part:
        return None
    iterations = round(part * evidence.series.iterations)
    before = round(floor.start / len(blocks) * evidence.series.iterations)
    when = f"for the first {plural(iterations, 'iteration')}"
    if before:
        when = f"for {plural(iterations, 'iteration')} after the first {before:,}"
    lost = part >= WARN_PART
    return Finding(
        code="flat_then_drop",
        severity=Severity.WARNING if lost else Severity.INFO,
        confidence=0.8 if lost else 0.6,
        sentence=f"The train loss stood still at {number(floor.level)} {when} ({percent(part)} of "
        f"training, where {percent(FLAT_PART)} count), then fell to {number(floor.end)}: that "
        "part of training taught nothing but the way out of a bad start.",
        evidence={
            "level": floor.level,
            "baseline_loss": evidence.baseline,
            "flat_part": part,
            "flat_iterations": iterations,
            "iterations_before": before,
            "loss_after_drop": floor.end,
            "threshold": FLAT_PART,
        },
        causes=(
            Cause(
                code="bad_initialisation",
                sentence="The initial weights are too small, or too large for the rate.",
                confidence=0.6,
            ),
            Cause(
                code="lr_low",
                sentence="The learning rate is low for the way out.",
                confidence=0.4,
            ),
            Cause(
                code="prior_first",
                sentence="It learns the share of each class first: set the last bias to the log "
                "of these shares.",
                confidence=0.3,
            ),
        ),
        action="Initialise by He's rule (init=kaiming) or Xavier's, and warm up. Cheapest "
        f"experiment: {plural(iterations, 'iteration')} from another initialisation.",
        changes=(
            Adjustment(name="init", value="kaiming"),
            Adjustment(name="warmup", value=0.05),
        ),
        source=SOURCE,
    )


def _floor(blocks: Array, baseline: float | None) -> _Floor | None:
    """The level piece before the fall; None when the loss fell from the start."""
    smooth = running_median(blocks)
    start = 0
    if baseline is not None:  # it may first come down to chance from a bad initial loss
        near = np.flatnonzero(smooth <= (1 + AT_CHANCE) * baseline)
        if not len(near):
            return None
        start = int(near[0])
    # The curve behind the fall is no line: look no further than half way down.
    rest = blocks[start:]
    top, bottom = float(np.median(rest[:MIN_BLOCKS])), float(smooth[start:].min())
    below = np.flatnonzero(smooth[start:] <= (top + bottom) / 2)
    piece = rest[: int(below[0]) + 1] if len(below) else rest
    found = bend(piece)
    if found is None:
        return None
    level, length = found.level_before, found.at
    noise = robust_sd(np.diff(rest[:length])) / np.sqrt(2.0) if length > MIN_BLOCKS else 0.0
    drift = abs(found.slope_before) * length
    after = rest[length : 2 * length + 1]
    end = float(np.median(after[-3:])) if len(after) else level
    is_still = drift < max(STILL_SHARE * abs(level), noise)
    drops = level - end > max(DROP_SHARE * abs(level), DROP_SDS * noise)
    is_at_chance = baseline is None or abs(level - baseline) <= AT_CHANCE * baseline
    return _Floor(level, start, length, end) if is_still and drops and is_at_chance else None
