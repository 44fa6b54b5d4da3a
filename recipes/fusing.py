"""Fused training: which trials train together, how many of them, and what that gains."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from recipes.space import ParameterValue
from recipes.value import Number, Value
from recipes.words import listing, number

NOT_MEASURED = "not measured"
"""Why trials of a description without a measurement train one by one."""

TRAINER_STRUCTURAL = ("batch_size", "optimizer", "nesterov")
"""The trainer's own names that change the form of a training. Whether gradients are clipped
does not: a limit that is never reached clips nothing."""


BLOCK = 4
"""The worker trains rows in blocks of so many, filled up with copies: torch's sums go through
four rows at a time. It is a part of what keeps a trial's numbers from depending on who trains
beside it; the worker's loop says the others."""
GAIN = 1.05
"""Times as fast as one by one, from which on training together is worth it. Measured are bare
iterations: what the loop does beside them, each trial else does by itself."""
FEW_GAIN = 1.5
"""So for fewer than MANY trials: less is lost again where they could have trained side by side
on slots that now stand idle."""
MANY = 16
"""Trials of one structure that keep four slots busy, each with a block."""
FEWEST_IN_PART = 3
"""Trials that a group is cut down to for the sake of more slots."""


class Fusing(Value):
    """What was measured of training several trials together, once a study.

    Attributes:
        chunk: Most trials trained together; 1: one by one.
        reason: Why one by one, as a part of a sentence; empty where trials train together.
        structural: Names of the space whose values change the form of model or training, beside
            the trainer's own: trials that differ in one of them cannot go together.
        most_parameters: Models with more of them train one by one; None: there is no limit.
        rates: Iterations a second of all members together, by how many there were ("1", "4").
            Measured: told and priced with, never compared between studies.
    """

    chunk: int = Field(ge=1)
    reason: str = ""
    structural: tuple[str, ...] = ()
    most_parameters: int | None = None
    rates: dict[Annotated[str, Field(pattern="^[1-9][0-9]*$")], Number] = Field(
        default_factory=dict
    )

    def together(self, count: int, slots: int) -> int:
        """How many train together when so many trials are spread evenly over the slots.

        Args:
            count: Trials that may all go together.
            slots: Jobs at the same time.
        """
        if not self.is_worth(count):
            return 1
        num_waves = math.ceil(math.ceil(count / self.chunk) / slots)
        most_parts = max(1, count // FEWEST_IN_PART, math.ceil(count / self.chunk))
        size = math.ceil(count / min(most_parts, num_waves * slots))
        # A block that is not full takes as long: with fewer such, slots are left to others.
        rows = min(self.chunk, math.ceil(size / BLOCK) * BLOCK)
        return math.ceil(count / math.ceil(count / rows))

    @property
    def of_run(self) -> dict[str, int | None]:
        """The fields of a run spec that say so."""
        return {"fuse": self.chunk, "fuse_parameters": self.most_parameters}

    def in_search(self, varied: Collection[str]) -> Fusing:
        """What may be reckoned with where a search varies these names.

        Settings drawn from a range hardly ever agree, so where one of the structural names is
        varied trials are taken to train one by one; repeats of a setting gain all the same.
        """
        breaking = [each for each in (*TRAINER_STRUCTURAL, *self.structural) if each in varied]
        if self.chunk == 1 or not breaking:
            return self
        return self.model_copy(update={"chunk": 1, "reason": f"{breaking[0]} is searched"})

    def is_worth(self, count: int) -> bool:
        """Whether so many trials of one structure train together. It depends on no slots."""
        if self.chunk == 1 or count < 2:
            return False
        least = FEW_GAIN if count < MANY else GAIN
        return not self.rates or self.speed_up(min(count, self.chunk)) >= least

    @property
    def is_ever_worth(self) -> bool:
        """Whether trials train together where there are enough of them."""
        return self.is_worth(max(MANY, self.chunk))

    def speed_up(self, members: int) -> float:
        """How many times as fast so many train together as one by one; 1 where not measured.

        A block that is not full takes the time of a full one. Between two measured numbers of
        rows the rate is a power of theirs (a straight line on logarithmic axes); beyond the
        largest it grows no more.
        """
        known = sorted(
            (int(name), rate)
            for name, rate in self.rates.items()
            if math.isfinite(rate) and rate > 0
        )
        if members <= 1 or not known or known[0][0] != 1:
            return 1.0
        rows = math.ceil(members / BLOCK) * BLOCK
        low = max(each for each in known if each[0] <= rows)
        high = min((each for each in known if each[0] >= rows), default=low)
        share = 0.0 if high == low else math.log(rows / low[0]) / math.log(high[0] / low[0])
        rate = math.exp((1 - share) * math.log(low[1]) + share * math.log(high[1]))
        return rate / known[0][1] * members / rows

    @property
    def sentence(self) -> str:
        """How the trials of the study train, and why."""
        gain = self.speed_up(self.chunk)
        if self.is_ever_worth:
            told = f": {number(gain, 2)} times as fast as one by one" if gain > 1 else ""
            alike = f" where they agree in {listing(self.structural)}" if self.structural else ""
            due = "" if self.is_worth(self.chunk) else f" where {MANY} or more are due"
            also = " and" if alike and due else ""
            return f"Trials train up to {self.chunk} at a time{alike}{also}{due}{told}."
        if self.chunk > 1:
            return (
                f"Trials train one by one: {self.chunk} together are {number(gain, 2)} times as"
                f" fast, and {GAIN} is worth it."
            )
        if self.reason in ("", NOT_MEASURED):
            return "Trials train one by one; what training together gains was not measured."
        return f"Trials train one by one: {self.reason}."


def groups(settings: Sequence[Mapping[str, ParameterValue]], fusing: Fusing) -> list[list[int]]:
    """Which settings could train together: those that agree in every structural name.

    Groups come in the order of their first members. A name that is left out differs from one
    that is given.

    Args:
        settings: In their order.
        fusing: Names what must agree.

    Returns:
        Positions among ``settings``, each once, rising within a group.
    """
    names = sorted({*TRAINER_STRUCTURAL, *fusing.structural})
    alike: dict[tuple[object, ...], list[int]] = {}
    for at, setting in enumerate(settings):
        values = (setting.get(name) for name in names)
        # True is not 1, though Python calls them equal.
        alike.setdefault(tuple((isinstance(v, bool), v) for v in values), []).append(at)
    return list(alike.values())


def even_parts(members: Sequence[int], size: int) -> list[list[int]]:
    """Cut into parts of at most ``size``, as equal as can be."""
    num_parts = math.ceil(len(members) / size)
    bounds = [len(members) * at // num_parts for at in range(num_parts + 1)]
    return [list(members[low:high]) for low, high in pairwise(bounds)]
