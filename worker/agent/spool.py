"""What an attempt reported and the service has not acknowledged yet, each trial's in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recipes.curve import CurveBlock
from recipes.outcome import MemberOutcome
from recipes.wire import MAX_BLOCKS, ArtifactKind
from worker.slot.messages import ArtifactWritten

BATCH_POINTS = 2_000
"""Points that make a batch full."""
BATCH_OUTCOMES = 100
"""Outcomes that make a batch full."""
BATCH_BYTES = 2 * 2**20
"""Bytes that make a batch full: an outcome can hold some 100 kB, a request at most 4 MiB, which an
attempt's last one shares with its traceback or description."""
BLOCK_BYTES, POINT_BYTES = 200, 40
"""What a block of points takes in JSON by itself, and for each of its points."""
SPOOL_POINTS = 1_000_000
"""Most points held back; a run that reports more while the service is away waits."""

Report = CurveBlock | MemberOutcome | ArtifactWritten


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes to the service in one request: points and outcomes, or one artifact."""

    blocks: tuple[CurveBlock, ...] = ()
    outcomes: tuple[MemberOutcome, ...] = ()
    artifact: ArtifactWritten | None = None


def num_points(report: Report) -> int:
    """How many points a report counts for."""
    return len(report.iterations) if isinstance(report, CurveBlock) else 1


def num_bytes(report: Report) -> int:
    """What a report takes of a request, nearly."""
    if isinstance(report, MemberOutcome):
        return len(report.model_dump_json().encode())
    return BLOCK_BYTES + POINT_BYTES * num_points(report)


def _place(reports: deque[Report], new: Report) -> int:
    """Where a report goes: points before artifacts before outcomes, each trial's own in order.

    What members report in turn so travels in as few requests as it can. The oldest is never
    overtaken, so none waits for ever.
    """
    place = len(reports)
    while place > 1 and reports[place - 1].trial != new.trial:
        if _rank(reports[place - 1]) <= _rank(new):
            break
        place -= 1
    return place


def _rank(report: Report) -> int:
    return 2 if isinstance(report, MemberOutcome) else int(isinstance(report, ArtifactWritten))


def cut(reports: Sequence[Report], sizes: Iterable[int] | None = None) -> tuple[int, bool]:
    """How many of the oldest reports make the next batch, and whether it is full.

    An artifact travels alone, after everything its trial reported before it and before
    everything it reported after: points are known to the service before a checkpoint claims
    to cover them, and a checkpoint or snapshot before an outcome that relies on it.

    Args:
        reports: Oldest first.
        sizes: Their bytes; None: they are found out.
    """
    points = outcomes = total = 0
    known = map(num_bytes, reports) if sizes is None else sizes
    for count, (report, size) in enumerate(zip(reports, known, strict=True)):
        if isinstance(report, ArtifactWritten):
            return (1, True) if count == 0 else (count, True)
        points += num_points(report)
        outcomes += isinstance(report, MemberOutcome)
        total += size
        if count > 0 and (points > BATCH_POINTS or total > BATCH_BYTES):
            return count, True
        is_full = points >= BATCH_POINTS or outcomes >= BATCH_OUTCOMES or total >= BATCH_BYTES
        if is_full or count + 1 == MAX_BLOCKS:
            return count + 1, True
    return len(reports), False


class Spool:
    """A bounded queue between a run that reports and a thread that sends.

    One thread puts, one takes; ``close`` and ``discard`` may be called from any.

    Args:
        batch_seconds: Longest time a report waits for others to travel with.
        most_points: Points held before ``put`` blocks.
    """

    def __init__(self, *, batch_seconds: float = 0.5, most_points: int = SPOOL_POINTS) -> None:
        self._batch_seconds = batch_seconds
        self._most_points = most_points
        self._reports: deque[Report] = deque()
        self._sizes: deque[int] = deque()  # their bytes
        self._num_points = 0
        self._oldest_at = 0.0
        self._closed = False
        self._discarded = False
        self._changed = threading.Condition()

    def put(self, report: Report) -> ArtifactWritten | None:
        """Append a report; waits while the spool is full, and drops it after ``discard``.

        Returns:
            A checkpoint that will not be sent any more: its trial has a newer one.
        """
        size = num_bytes(report)
        with self._changed:
            self._changed.wait_for(lambda: self._num_points < self._most_points or self._discarded)
            if self._discarded:
                return None
            older = self._take_out_older(report)
            if not self._reports:
                self._oldest_at = time.monotonic()
            place = _place(self._reports, report)
            self._reports.insert(place, report)
            self._sizes.insert(place, size)
            self._num_points += num_points(report)
            self._changed.notify_all()
            return older

    def close(self) -> None:
        """Nothing more will be put: what is here does not wait for company."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def discard(self) -> None:
        """Forget everything, now and later; ``take`` returns None."""
        with self._changed:
            self._discarded = True
            self._reports.clear()
            self._sizes.clear()
            self._num_points = 0
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """The next batch, when it is full or its oldest report has waited long enough.

        None when the spool is closed and what is left can go with the attempt's end (``rest``),
        or discarded.
        """
        with self._changed:
            while not self._discarded:
                count, full = cut(self._reports, self._sizes)
                if self._closed and not full:
                    return None
                age = time.monotonic() - self._oldest_at
                if full or (count and age >= self._batch_seconds):
                    return self._pop(count)
                self._changed.wait(self._batch_seconds - age if count else None)
            return None

    def rest(self) -> Batch:
        """What ``take`` left of a closed spool: a batch that is not full, and no artifact."""
        with self._changed:
            return self._pop(len(self._reports))

    def _pop(self, count: int) -> Batch:
        reports = [self._reports.popleft() for _ in range(count)]
        for _ in range(count):
            self._sizes.popleft()
        self._num_points -= sum(map(num_points, reports))
        self._oldest_at = time.monotonic()
        self._changed.notify_all()
        if reports and isinstance(reports[0], ArtifactWritten):
            return Batch(artifact=reports[0])
        return Batch(
            blocks=tuple(report for report in reports if isinstance(report, CurveBlock)),
            outcomes=tuple(report for report in reports if isinstance(report, MemberOutcome)),
        )

    def _take_out_older(self, new: Report) -> ArtifactWritten | None:
        """The checkpoint that a newer one of its trial makes needless, no longer here."""
        if not isinstance(new, ArtifactWritten) or new.kind is not ArtifactKind.CHECKPOINT:
            return None
        for place, each in enumerate(self._reports):
            if not isinstance(each, ArtifactWritten):
                continue
            if (each.kind, each.trial) == (new.kind, new.trial):
                del self._reports[place], self._sizes[place]
                self._num_points -= num_points(each)
                return each
        return None
