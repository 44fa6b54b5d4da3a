"""How long training takes here: a short measurement, to price a study by."""

from __future__ import annotations

from pydantic import Field

from recipes.value import Value


class Timing(Value):
    """What a probe of a few iterations measured on one slot, with nothing else running.

    Attributes:
        seconds_per_epoch: Of training and evaluating, at the middle of the search space.
        measured_epochs: How much of an epoch was trained to know; below 1 it is scaled up.
        device: ``cpu``, ``cuda:0 NVIDIA H200``.
        slots: Trials at a time on this machine, as ``auto`` picks them.
    """

    seconds_per_epoch: float = Field(gt=0)
    measured_epochs: float = Field(gt=0)
    device: str
    slots: int = Field(ge=1)
