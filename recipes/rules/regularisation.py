"""Regularisation strong enough to be the first suspect when a model does not fit."""

from __future__ import annotations

import math
import re

from recipes.evidence.curves import CurveEvidence
from recipes.words import number

OVER_DECAY = 0.05
"""Five times AdamW's default. A penalty of 0.05 per squared weight outweighs most directions'
curvature (ours)."""

HEAVY_DROPOUT = 0.6
"""More than the half that its authors use in hidden layers (Srivastava et al. 2014)."""

HEAVY_SMOOTHING = 0.2
"""Twice the usual label smoothing (ours)."""

DROPOUT = re.compile(r"[Dd]ropout\w*\((\d*\.?\d+)\)")
"""A dropout module as ``describe`` lists what regularisation off switches off."""


def heavy_regularisation(evidence: CurveEvidence) -> list[str]:
    """What of a trial's regularisation is heavy, in words."""
    limits = {"weight_decay": OVER_DECAY, "label_smoothing": HEAVY_SMOOTHING}
    heavy = []
    for name, value in evidence.series.params.items():
        limit = HEAVY_DROPOUT if "dropout" in name else limits.get(name, math.inf)
        if isinstance(value, (int, float)) and value >= limit:
            heavy.append(f"{name.replace('_', ' ')} {number(float(value))}")
    for each in evidence.description.regularisation.switched_off:
        found = DROPOUT.search(each)
        if found is not None and float(found.group(1)) >= HEAVY_DROPOUT:
            heavy.append(each)
    return heavy
