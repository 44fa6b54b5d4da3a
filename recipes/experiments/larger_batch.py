"""The larger-batch rerun: does the noise fall with the square root of the batch?

What sampling makes scatter falls so. What stays does not come from the samples: the weights
themselves are thrown about, and the learning rate is what throws them. (Gradient noise goes
as rate over batch: Smith & Le 2018; Smith et al. 2018, "Don't decay the learning rate,
increase the batch size". A swing from steps beyond the curvature's bound knows no batch.)
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.trial_series import TrialSeries
from recipes.experiments.revising import revised
from recipes.finding import Adjustment, Cause, Finding
from recipes.trend import noise_sd, robust_sd, running_median
from recipes.value import Number, Value
from recipes.words import number, rate_or

LABEL = "larger_batch"

FACTOR = 4
"""The batch is multiplied by this: noise that is the samples' halves, more than the error of
two spreads of some dozens of points (about 15 %) could feign."""

LEAST_FACTOR = 2.0
"""Where the data end before, a factor of two is the least that shows."""

FALLEN = 0.5
"""Share of the expected fall, in logarithms, from which the noise counts as fallen with the
square root: half-way between that and no fall at all."""

SCATTER_POINTS = 40
"""Iterations that a spread is measured over."""

SCATTER_WINDOW = 21
"""Iterations of the running median that the loss scatters around (row 28 of the notes)."""

SWING_EPOCHS = 10
"""Epochs that a swing is measured over (row 18 of the notes)."""

MEDIAN_SPREAD = math.sqrt(math.pi / 2)
"""Sd of a median of many over that of their mean: long curves keep medians of blocks."""

BATCH = "small_batch"
ABOUT = {"oscillation": "lr_high_late", "noisy_loss": "mixed_samples"}
"""Findings it is for, with the cause that stands against ``small_batch``."""


class LargerBatch(Value):
    """The same weights trained on with larger batches, nothing else changed.

    Attributes:
        probe: The experiment's trial number.
        of: The trial's whose best weights it began from.
        before: Samples a batch there.
        after: Here.
        noise_before: Scatter of the train loss by iteration, or swing of the metric by epoch.
        noise_after: The same with the larger batches.
    """

    name: Literal["larger_batch"] = "larger_batch"
    probe: int
    of: int
    code: str
    before: int
    after: int
    noise_before: Number
    noise_after: Number

    @property
    def expected(self) -> float:
        """What sampling would leave of the noise, as a share of it."""
        return math.sqrt(self.before / self.after)

    @property
    def share(self) -> float:
        """What was left of it."""
        return self.noise_after / self.noise_before if self.noise_before > 0 else math.nan

    @property
    def falls(self) -> bool:
        """Whether it fell about as far as sampling explains."""
        limit: float = self.expected**FALLEN
        return self.share <= limit

    def revise(self, finding: Finding) -> Finding:
        """A finding on noise, once it is known whether the samples make it."""
        if finding.code != self.code:
            return finding
        other = ABOUT[self.code]
        what = "swing" if self.code == "oscillation" else "scatter"
        course = (
            f"Trained on with batches of {self.after} instead of {self.before} (trial "
            f"{self.probe}), the {what} is {number(self.share, 2)} of what it was, where "
            f"{number(self.expected, 2)} is what sampling leaves"
        )
        evidence: dict[str, float | str] = {
            "experiment": self.name,
            "noise_left": self.share,
            "noise_left_by_sampling": self.expected,
        }
        if self.falls:
            return revised(
                finding,
                sentence=f"{course}: small batches make it.",
                confidence=max(finding.confidence, 0.9),
                causes={BATCH: 0.85, other: 0.2},
                evidence=evidence,
                action=f"Batches of {self.after}, or a learning rate that decays: both take the "
                "noise out at the end.",
                changes=(Adjustment(name="batch_size", value=self.after),),
            )
        lr = finding.evidence.get("lr")
        known = float(lr) if isinstance(lr, (int, float)) else math.nan
        jumps = Cause(
            code="lr_high",
            sentence="Every step throws the weights about, whatever the samples.",
            confidence=0.7,
        )
        return revised(
            finding,
            sentence=f"{course}: the samples do not explain it, the steps are too large.",
            confidence=finding.confidence,
            causes={BATCH: 0.1, other: 0.85 if other == "lr_high_late" else 0.2},
            evidence=evidence,
            new_causes=() if other == "lr_high_late" else (jumps,),
            action="Let the learning rate decay (schedule=cosine), or take "
            f"{rate_or(known / 3, 'a third of it')}.",
            changes=(Adjustment(name="schedule", value="cosine"),),
        )


def larger_batch_size(leading: CurveEvidence) -> int | None:
    """The batch to try; None where there is no batch that is larger enough."""
    own = _batch(leading)
    samples = leading.description.split("train").num_samples
    larger = min(FACTOR * own, samples)
    return larger if larger >= LEAST_FACTOR * own else None


def larger_batch_epochs(leading: CurveEvidence, code: str) -> int:
    """How long it takes until its noise can be measured, the rule's own way."""
    larger = larger_batch_size(leading)
    if code == "oscillation" or larger is None:
        return SWING_EPOCHS
    samples = leading.description.split("train").num_samples
    return math.ceil(SCATTER_POINTS / math.ceil(samples / larger))


def larger_batch(probe: TrialSeries, leading: CurveEvidence, code: str) -> LargerBatch | None:
    """Read the experiment; None when it did not run long enough to tell.

    Args:
        probe: The run with larger batches.
        leading: The trial whose weights it went on from.
        code: The finding it was made for.
    """
    name = leading.metric.name
    if code == "oscillation":
        after = probe.series(name, "val").trained[-SWING_EPOCHS:]
        if len(after) < SWING_EPOCHS:
            return None
        noise = noise_sd(leading.val.trained[-SWING_EPOCHS:]), noise_sd(after)
    else:
        if len(probe.losses) < SCATTER_POINTS:
            return None
        half = len(leading.series.losses) // 2
        noise = _scatter(leading.series, half), _scatter(probe, 0)
    return LargerBatch(
        probe=probe.number,
        of=leading.series.number,
        code=code,
        before=_batch(leading),
        after=int(probe.params["batch_size"]),
        noise_before=noise[0],
        noise_after=noise[1],
    )


def _scatter(series: TrialSeries, first: int) -> float:
    """Spread of the train loss around its course, of one iteration."""
    losses = series.losses[first:]
    steps = np.diff(series.loss_iterations[first:])
    block = float(np.median(steps)) if len(steps) else 1.0
    spread = robust_sd(losses - running_median(losses, SCATTER_WINDOW))
    return spread * (math.sqrt(block) / MEDIAN_SPREAD if block > 2 else math.sqrt(block))


def _batch(leading: CurveEvidence) -> int:
    given = leading.series.params.get("batch_size", leading.description.default_batch_size)
    return int(given)
