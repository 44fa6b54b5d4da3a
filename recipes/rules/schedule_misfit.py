"""A learning rate schedule that does not fit the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.study_curves import has_finished
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.rules.underfitting import FITTED
from recipes.trend import Array, is_flat, robust_sd, trend
from recipes.words import number, percent, rate

LEAST_SAMPLES = 10
"""Sampled learning rates, below which its course is not known."""

SPENT_RATE = 0.01
"""Share of the highest rate below which nothing moves any more (row 27)."""

NEARLY = 0.01
LOW_START = 0.1
LONG_CLIMB = 0.5
"""A warm-up, from a tenth of the highest rate or less, that takes half of the run and more: five
to ten per cent are usual (Goyal et al. 2017: 5 of 90 epochs), and one-cycle schedules climb for
30 to 45 % (Smith 2018)."""

STARVED_SHARE = 0.2
FALLING_SHARE = 0.05
"""Share of the run spent there: too much of it where the training samples are not fitted; and
any of it, from the second on, while the loss still falls (ours; cosine spends 6 % so)."""

STILL_FALLING = 0.02
"""Fall over that part, as a share of the loss there and of the initial one, that is still a fall
(ours): between two losses near zero even a factor is nothing."""

CUT = 2.0
"""Factor between two sampled rates in a row that is a cut."""

IDLE_SHARE = 0.3
IDLE_FLAT = 0.01
"""Share of the run the loss stood still right before the first cut, and by how much it may
have moved there (ours)."""

CUT_FALL = 0.10
CUT_SDS = 3.0
"""Fall after the cut that shows it was due: share of the loss before it, and sds."""

SOURCE = "Karpathy's recipe, do not trust learning rate decay defaults; row 27"


@dataclass(frozen=True, slots=True)
class _Course:
    """The rate as a course: shares of the run (0 to 1) and rates, arrays (R,)."""

    at: Array
    rates: Array

    @property
    def peak(self) -> float:
        return float(self.rates.max())

    @property
    def peak_at(self) -> float:
        """Share of the run at which it first comes within a hundredth of its peak."""
        return float(self.at[int(np.argmax(self.rates >= (1 - NEARLY) * self.peak))])

    @property
    def climbs_to_peak(self) -> bool:
        """Whether it only rises up to there, from a tenth of the peak or less."""
        before = self.rates[self.at <= self.peak_at]
        is_rise = bool(np.all(np.diff(before) >= 0))
        return is_rise and float(before[0]) <= LOW_START * self.peak

    @property
    def spent_from(self) -> float:
        """Share of the run after which the rate stays under a hundredth of the peak; 1: never."""
        above = np.flatnonzero(self.rates >= SPENT_RATE * self.peak)
        last = int(above[-1])
        return float(self.at[last + 1]) if last + 1 < len(self.at) else 1.0

    @property
    def first_cut(self) -> float | None:
        """Share of the run at which the rate is first cut by a factor; None: never."""
        after = int(np.argmax(self.rates))
        falls = self.rates[after:-1] > CUT * self.rates[after + 1 :]
        at = np.flatnonzero(falls)
        return float(self.at[after + int(at[0]) + 1]) if len(at) else None


@rule("schedule_misfit", Precedence.LEARNING_RATE)
def schedule_misfit(evidence: CurveEvidence) -> Finding | None:
    """The rate is spent too early, cut too late, or never changes though a schedule is named.

    Needs the learning rate as it was used (a curve ``lr``), and a run that went to its end. The
    length of a warm-up is also read from the setting.
    """
    course = _course(evidence)
    if not has_finished(evidence):
        return None
    if evidence.series.warmup_share >= LONG_CLIMB:
        return _set_to_climb(evidence)
    if course is None:
        return None
    if evidence.is_decayed and float(np.ptp(course.rates)) <= 1e-6 * course.peak:
        return _unchanged(evidence, course)
    return _climbing(evidence, course) or _spent(evidence, course) or _late(evidence, course)


def _course(evidence: CurveEvidence) -> _Course | None:
    iterations, values = evidence.series.rates
    rates = np.asarray(values, dtype=np.float64)
    if len(rates) < LEAST_SAMPLES or not evidence.series.iterations:
        return None
    if not (np.isfinite(rates).all() and rates.min() >= 0 and rates.max() > 0):
        return None
    at = np.asarray(iterations, dtype=np.float64) / evidence.series.iterations
    return _Course(np.minimum(at, 1.0), rates)


def _climbing(evidence: CurveEvidence, course: _Course) -> Finding | None:
    """A warm-up that leaves little of the run to the rate it leads to."""
    if course.peak_at < LONG_CLIMB or not course.climbs_to_peak:
        return None
    return _long_climb(
        f"The warm-up takes {percent(course.peak_at)} of the run ({percent(LONG_CLIMB)} count): "
        f"the learning rate climbs from {rate(float(course.rates[0]))} and is at its "
        f"{rate(course.peak)} only for what is left.",
        {"peak_at": course.peak_at, "peak_lr": course.peak, "threshold": LONG_CLIMB},
    )


def _set_to_climb(evidence: CurveEvidence) -> Finding:
    """The same, where few rates were sampled or the curve hides it."""
    share, lr = evidence.series.warmup_share, evidence.series.lr
    return _long_climb(
        f"The warm-up is set to {percent(share)} of the run ({percent(LONG_CLIMB)} count): the "
        f"learning rate is at its {rate(lr)} only for what is left.",
        {"peak_at": share, "peak_lr": lr, "threshold": LONG_CLIMB},
    )


def _long_climb(sentence: str, numbers: dict[str, float | str | None]) -> Finding:
    return _finding(
        sentence,
        numbers,
        Severity.WARNING,
        (
            Cause(
                code="warmup_too_long",
                sentence="The warm-up is laid out for a far longer run, or counted in the wrong "
                "unit (epochs for iterations).",
                confidence=0.85,
            ),
        ),
        "Warm up for 5 % of the iterations (warmup=0.05). Cheapest experiment: the run so; if it "
        "diverges, twice as long.",
        (Adjustment(name="warmup", value=0.05),),
    )


def _spent(evidence: CurveEvidence, course: _Course) -> Finding | None:
    """Too early: the rate is next to nothing while there is still something to learn."""
    share = 1.0 - course.spent_from
    if share < FALLING_SHARE:
        return None
    blocks = evidence.series.blocks
    window = blocks[round(course.spent_from * len(blocks)) :]
    if len(window) < LEAST_SAMPLES:
        return None
    line = trend(window)
    fall = -line.slope * len(window) if line is not None and line.falls else 0.0
    start = evidence.start_loss if math.isfinite(evidence.start_loss) else 0.0
    still_falls = fall > STILL_FALLING * max(abs(float(np.median(window))), start)
    end = evidence.train.end
    unfitted = evidence.metric.has_points and end < FITTED  # false for NaN
    if not (still_falls or (unfitted and share >= STARVED_SHARE)):
        return None
    level = number(float(np.median(window)))
    doing = (
        f"the train loss still falls there, by {number(fall)} around {level}"
        if still_falls
        else f"the train loss stays at {level} there, with {evidence.metric.label} "
        f"{evidence.metric.text(end)} on the training samples"
    )
    return _finding(
        f"The learning rate is spent too early: for the last {percent(share)} of the run it is "
        f"under a hundredth of its peak of {rate(course.peak)}, and {doing}. At a higher rate "
        "that part of training would have taught more.",
        {"spent_share": share, "fall": fall, "peak_lr": course.peak, "threshold": FALLING_SHARE},
        Severity.WARNING,
        (
            Cause(
                code="decay_too_early",
                sentence="The decay is laid out for a shorter run, or begins too early.",
                confidence=0.8,
            ),
            Cause(
                code="cannot_fit",
                sentence="The model cannot do better, whatever the rate.",
                confidence=0.2,
            ),
        ),
        "Lay the schedule over the whole run (schedule=cosine), or move its cuts to 50 % and 75 % "
        "of it. Cheapest experiment: two epochs from the last weights at a tenth of the peak; if "
        "the loss falls faster, the rate was it.",
        (Adjustment(name="schedule", value="cosine"),),
    )


def _late(evidence: CurveEvidence, course: _Course) -> Finding | None:
    """Too late: the loss had stood still for long when the cut let it fall."""
    cut = course.first_cut
    if cut is None or cut < IDLE_SHARE:
        return None
    blocks = evidence.series.blocks
    at, length = round(cut * len(blocks)), round(IDLE_SHARE * len(blocks))
    before, after = blocks[at - length : at], blocks[at + 1 : at + 1 + length]
    if len(before) < LEAST_SAMPLES or len(after) < LEAST_SAMPLES // 2:
        return None
    level, later = float(np.median(before)), float(np.median(after))
    noise = robust_sd(before)
    drops = level - later > max(CUT_FALL * abs(level), CUT_SDS * noise)
    if not drops or not is_flat(before, share=IDLE_FLAT):
        return None
    return _finding(
        f"The learning rate is cut late: the train loss stood still at {number(level)} for at "
        f"least {percent(IDLE_SHARE)} of the run before the first cut, at {percent(cut)} of it, "
        f"which took it to {number(later)}: that stretch bought nothing.",
        {"cut_at": cut, "loss_before": level, "loss_after": later, "threshold": IDLE_SHARE},
        Severity.INFO,
        (
            Cause(
                code="decay_too_late",
                sentence="The first cut comes too late for this length.",
                confidence=0.7,
            ),
        ),
        "Cut earlier, or use a cosine over the whole length: the same result in fewer epochs. "
        "Cheapest experiment: the run with its first cut at half the time.",
    )


def _unchanged(evidence: CurveEvidence, course: _Course) -> Finding:
    schedule = evidence.series.schedule
    return _finding(
        f"The schedule has no effect: the run names {schedule}, and the learning rate is "
        f"{rate(course.peak)} at all of {len(course.rates)} moments looked at.",
        {"schedule": schedule, "lr": course.peak, "num_looked_at": len(course.rates)},
        Severity.WARNING,
        (
            Cause(
                code="scheduler_not_stepped",
                sentence="The scheduler's step() is never called, or on another optimiser.",
                confidence=0.8,
            ),
            Cause(
                code="schedule_too_long",
                sentence="It is laid out for a far longer run.",
                confidence=0.4,
            ),
        ),
        "Call the scheduler's step() where its documentation says, and log the rate. Cheapest "
        "experiment: print the rate of the optimiser over two epochs.",
    )


def _finding(
    sentence: str,
    numbers: dict[str, float | str | None],
    severity: Severity,
    causes: tuple[Cause, ...],
    action: str,
    changes: tuple[Adjustment, ...] = (),
) -> Finding:
    return Finding(
        code="schedule_misfit",
        severity=severity,
        confidence=0.75 if severity is Severity.WARNING else 0.6,
        sentence=sentence,
        evidence={**numbers},
        causes=causes,
        action=action,
        changes=changes,
        source=SOURCE,
    )
