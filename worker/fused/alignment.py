"""Linear layers whose sums do not depend on where in a stack a member's numbers lie.

Matrix products take four numbers at a time (16 bytes) and sum up in another order where a
matrix does not begin at such a place. In a stack of members all of them do if each member's
matrix holds a multiple of four numbers; where it would not, its widths are filled up with
zeros, which change no sum.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

ALIGNED = 4
"""Numbers that a matrix product takes at a time."""
Linear = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def aligned_linear(
    linear: Linear, x: Tensor, weight: Tensor, bias: Tensor | None, *, num_samples: int
) -> Tensor:
    """A linear layer, its widths filled up where that is needed.

    Args:
        linear: (x, weight, bias) -> output.
        x: (..., I).
        weight: (..., O, I).
        bias: (..., O), or none.
        num_samples: Rows of ``x`` that one member has.
    """
    num_out, num_in = weight.shape[-2:]
    if num_in % ALIGNED == 0 and num_samples * num_out % ALIGNED == 0:
        return linear(x, weight, bias)
    more_in, more_out = -num_in % ALIGNED, -num_out % ALIGNED
    filled = None if bias is None else F.pad(bias, (0, more_out))
    output = linear(F.pad(x, (0, more_in)), F.pad(weight, (0, more_in, 0, more_out)), filled)
    return output[..., :num_out]
