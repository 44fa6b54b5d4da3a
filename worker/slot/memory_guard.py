"""Each slot of a GPU keeps to its share of the memory."""

from __future__ import annotations

import torch

CONTEXT_SHARE = 0.05
"""Of a GPU's memory, left for the contexts that CUDA makes outside of torch's own memory."""


def guard_memory(num_slots: int) -> None:
    """Have torch refuse what goes beyond this process's share of the GPU.

    A trial that wants more ends for want of memory and leaves its neighbours alone; without
    this, whoever asks last would end, whoever it is that took too much.

    Args:
        num_slots: How many processes share the GPU, this one included.
    """
    if num_slots > 1:
        torch.cuda.set_per_process_memory_fraction((1 - CONTEXT_SHARE) / num_slots)
