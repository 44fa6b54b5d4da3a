"""A trial's curves, as lists or as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.views.models import CurvesView, CurveView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Curve(CurveView):
    """One metric on one split, ordered by iteration; non-finite values are floats as well."""

    def to_numpy(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Iterations and values, each of shape (points,)."""
        import numpy as np

        return np.array(self.iterations, dtype=np.int64), np.array(self.values, dtype=np.float64)


class Curves(CurvesView):
    """A trial's curves. ``curves["loss", "val"]`` is one of them, ``curves.curves`` all."""

    curves: tuple[Curve, ...]

    def __getitem__(self, name: tuple[str, str]) -> Curve:
        """The curve of a metric on a split.

        Raises:
            KeyError: The trial has no such curve (yet); the message names those it has.
        """
        for curve in self.curves:
            if (curve.metric, curve.split) == name:
                return curve
        there = ", ".join(f"{each.metric} on {each.split}" for each in self.curves) or "none"
        raise KeyError(f"trial {self.trial} has no curve {name!r}; there is: {there}")
