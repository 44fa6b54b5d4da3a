"""Why trials are not trained together, in words for their pages."""

from __future__ import annotations

import re

from recipes.trial import TrialCause
from worker.training.failures import cause_of

MAX_LENGTH = 200
"""Characters of a foreign error that are shown."""

NO_RULE = re.compile(r"[Bb]atching rule not implemented for (?:aten::)?([A-Za-z_0-9]+)")
WORDS = (
    ("data-dependent control flow", "its forward branches on the values of a tensor"),
    (".item() on a Tensor", "its forward reads a tensor's value with .item()"),
    ("random operation", "its forward draws random numbers of its own"),
    ("inplace arithmetic", "its forward writes into a tensor that all trials would share"),
    ("dynamic shape", "the shape of a tensor in its forward depends on values"),
    ("setup_context", "it has an autograd.Function without setup_context"),
    ("functorch transforms", "it has an autograd.Function without a rule for batches"),
)
"""What torch's errors under vmap say, and what that means for who wrote the model."""


TOO_MUCH_MEMORY = "together they take more memory than there is"


class NotFusable(Exception):
    """Trials cannot be trained together; the message says why, beginning in lower case."""


def reason_of(error: Exception) -> str:
    """Why a model does not run fused, by what torch said."""
    if isinstance(error, NotFusable):
        return str(error)
    if cause_of(error) is TrialCause.OUT_OF_MEMORY:
        return TOO_MUCH_MEMORY
    said = str(error)
    rule = NO_RULE.search(said)
    if rule is not None:
        return f"{rule[1].split('.')[0]} has no batching rule in torch"
    for words, meaning in WORDS:
        if words in said:
            return meaning
    first = said.strip().split("\n")[0]
    raised = type(error).__name__ + (f": {first}" if first else "")
    return f"fused it raises {raised}"[:MAX_LENGTH]
