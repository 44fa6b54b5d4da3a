"""Whether trials of a search can be compared before they have ended."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.space import Categorical, ParameterValue
from recipes.step import StepContext

CONSTANT = "constant"


def discards_early(context: StepContext, extras: Mapping[str, ParameterValue]) -> bool:
    """Whether trials far behind end early: as asked, and never under a rate that decays.

    A decayed rate earns its accuracy at the end. Half-way, the high starting rates that win
    stand last: CIFAR-10, 50 hidden units, 20 epochs of cosine, weight decay 5e-3: starts
    of 0.015, 0.03 and 0.05 have 0.480, 0.459 and 0.448 after 5 epochs, 0.508, 0.519 and
    0.521 at the end. Successive halving would keep the wrong ones.

    Args:
        context: With the study's options, fixed values and space.
        extras: What the loop has set for these trials.
    """
    schedule = {**extras, **context.fixed}.get("schedule", CONSTANT)
    searched = context.space.root.get("schedule")
    choices = searched.choices if isinstance(searched, Categorical) else [schedule]
    return context.options.early_discard and all(each == CONSTANT for each in choices)
