"""A whole study that takes seconds: all seven steps, few trials, two rounds."""

from typing import Any

from recipes.study import LAST_STEP, SearchOptions

ALL_STEPS = tuple(range(1, LAST_STEP + 1))
SEARCH_STEPS = (4, 5, 6, 7)
"""Without the checks, which have tests of their own."""

SEARCH = SearchOptions(
    coarse_trials=8, coarse_epochs=4, fine_trials=8, fine_epochs=8, generation=4
)
"""Three rungs in each search, and two generations in the fine one."""

WHOLE: dict[str, Any] = {"steps": ALL_STEPS, "search": SEARCH, "max_rounds": 2}
SEARCHES: dict[str, Any] = {**WHOLE, "steps": SEARCH_STEPS}

EXPERIMENTS: dict[str, Any] = {
    "steps": (5, 6),
    "set": {"batch_size": 2, "lr": 0.003, "weight_decay": 0.0},
    "search": SearchOptions(fine_trials=1, fine_epochs=10, generation=1),
}
"""Of ``HardlyApart``: step 6 tries a lower rate, then larger batches."""
