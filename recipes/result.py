"""What a study has to show for itself: the best setting, and what it is compared with."""

from __future__ import annotations

from typing import Literal

from recipes.hypothesis import Effect, Hypothesis
from recipes.space import ParameterValue
from recipes.value import Number, Value


class Best(Value):
    """The best setting so far. Its value never stands without error and number of candidates.

    Attributes:
        trial: The trial that stands for it (of several seeds the first).
        value: Mean of the metric over its seeds, each at its best epoch on ``val``.
        standard_error: Of ``value``: from the validation samples, and with several seeds
            from the spread between them too.
        n: Validation samples.
        num_candidates: How many settings it is the best of.
        num_seeds: Seeds that ``value`` is the mean of.
        seed_sd: Standard deviation between the seeds; None below two.
        epoch: The best epoch (median over seeds), of ``epochs``.
        tied: First trials of the settings that cannot be told apart from it.
    """

    trial: int
    params: dict[str, ParameterValue]
    metric: str
    direction: Literal["maximize", "minimize"]
    value: Number
    standard_error: Number
    n: int
    num_candidates: int
    num_seeds: int = 1
    seed_sd: Number | None = None
    epoch: int | None = None
    epochs: int | None = None
    tied: tuple[int, ...] = ()


class Compared(Value):
    """Another setting beside the best: the incumbent. Paired on the same samples and seeds.

    ``gain`` is how much better the best is, whatever the direction.
    """

    trial: int
    params: dict[str, ParameterValue]
    value: Number
    standard_error: Number
    num_seeds: int
    gain: Number
    gain_standard_error: Number
    sentence: str


class TestResult(Value):
    """The test split, looked at once with the final models' best epochs.

    ``seen`` is True when rounds were added after the test split had been looked at.
    """

    __test__ = False  # not a test, whatever pytest thinks of its name

    metric: str
    value: Number
    standard_error: Number
    n: int
    num_seeds: int
    incumbent_value: Number | None = None
    average_value: Number | None = None  # of the average of the models' predictions
    average_standard_error: Number | None = None
    average_of: tuple[int, ...] = ()
    seen: bool = False


class Result(Value):
    """Everything a study concluded so far.

    ``not_tried`` says in words what the budget, the space or the data left out.
    """

    best: Best
    incumbent: Compared | None = None
    test: TestResult | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    effects: tuple[Effect, ...] = ()
    not_tried: tuple[str, ...] = ()
