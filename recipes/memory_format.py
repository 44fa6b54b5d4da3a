"""How a convolutional network's tensors lie in memory, and what that gains."""

from __future__ import annotations

from typing import Literal

from recipes.value import Number, Value
from recipes.words import number

MemoryFormatName = Literal["contiguous", "channels_last"]
"""torch's names: of an image, channel after channel, or pixel after pixel with its channels side
by side (https://pytorch.org/tutorials/intermediate/memory_format_tutorial.html)."""
GAIN = 1.4
"""Times as fast, from which on channels come last: less may be chance, and a study shall not
depend on that."""


class MemoryFormat(Value):
    """What was measured of a task's model, once a study.

    Attributes:
        name: The format its trials train in. A result depends on it within float32's rounding.
        gain: How many times as fast an iteration and an evaluation of as many samples are with
            channels last; None: not measured, because the model has no convolution of images or
            cannot compute so.
        reason: What was raised where it cannot; else empty.
    """

    name: MemoryFormatName = "contiguous"
    gain: Number | None = None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What it means for the study's trials; empty where it means nothing."""
        if self.name == "contiguous" or self.gain is None:
            return ""
        return (
            "Channels come last in memory (channels_last): training and evaluating are"
            f" {number(self.gain, 2)} times as fast."
        )
