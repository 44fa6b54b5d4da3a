"""What a study has to show for itself, in words: best setting, comparison, test, effects."""

from __future__ import annotations

import math
from collections.abc import Mapping

from recipes.result import Best, TestResult
from service.views.format import decimals, estimate, number, plural

INTERVAL = 1.96
"""Standard errors to either side of a mean that hold the true one 19 times in 20 (normal
approximation; Wald's interval)."""


def best_sentence(best: Best) -> str:
    """What the best value needs to be judged by."""
    parts = [
        f"On {best.n:,} validation samples",
        f"best of {plural(best.num_candidates, 'setting')}",
        _seeds(best.num_seeds, best.seed_sd),
    ]
    if best.epoch is not None:
        of = f" of {best.epochs}" if best.epochs is not None else ""
        parts.append(f"at epoch {best.epoch}{of}")
    return f"{', '.join(parts)}."


def _seeds(count: int, sd: float | None) -> str:
    if count == 1:
        return "a single seed"
    spread = f" (sd between them {number(sd, 2)})" if sd is not None and math.isfinite(sd) else ""
    return f"the mean of {count} seeds{spread}"


BOUNDS: Mapping[str, tuple[float, float]] = {
    "accuracy": (0.0, 1.0),
    "r2": (-math.inf, 1.0),
    "loss": (0.0, math.inf),
}
"""What a metric can be. An interval by the normal approximation may reach beyond."""


def interval(value: float, standard_error: float, metric: str = "") -> str:
    """The 95 % interval of a mean: ``0.958 to 0.979``, cut where the metric ends.

    Args:
        value: The mean.
        standard_error: Of the mean.
        metric: Its name, for its bounds.
    """
    if not (math.isfinite(value) and math.isfinite(standard_error) and standard_error > 0):
        return "not known"
    reach = INTERVAL * standard_error
    digits = decimals(standard_error)
    least, most = BOUNDS.get(metric, (-math.inf, math.inf))
    said = f"{max(value - reach, least):.{digits}f} to {min(value + reach, most):.{digits}f}"
    if value + reach > most:
        said += f", cut at {most:g}, the highest there is"
    if value - reach < least:
        said += f", cut at {least:g}, the lowest there is"
    return said


def test_sentence(test: TestResult) -> str:
    """The one look at the test split."""
    said = f"{test.metric} {estimate(test.value, test.standard_error)}"
    parts = [f"{said} on {test.n:,} test samples, {_seeds(test.num_seeds, None)}"]
    if test.average_value is not None:
        of = plural(len(test.average_of), "model") if test.average_of else "the models"
        average = estimate(test.average_value, test.average_standard_error)
        parts.append(f"the average of the predictions of {of}: {average}")
    if test.incumbent_value is not None:
        parts.append(f"your present setting: {number(float(test.incumbent_value))}")
    parts[0] = parts[0][:1].upper() + parts[0][1:]
    ending = ". It had been looked at before the last rounds were added" if test.seen else ""
    return f"{'; '.join(parts)}{ending}."
