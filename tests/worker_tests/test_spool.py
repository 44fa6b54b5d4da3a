from __future__ import annotations

import itertools
import threading
import time

from recipes.curve import CurveBlock
from recipes.wire import MAX_BLOCKS, ArtifactKind
from tests.worker_tests.stand_in_slot import outcome
from worker.agent.spool import (
    BATCH_BYTES,
    BATCH_OUTCOMES,
    BATCH_POINTS,
    Batch,
    Report,
    Spool,
    cut,
)
from worker.slot.messages import ArtifactWritten

CHECKPOINT, SNAPSHOT = (
    ArtifactWritten(kind=kind, trial=0, epoch=1, iteration=9, path="/x") for kind in ArtifactKind
)


def block(num_points: int, first: int = 0) -> CurveBlock:
    iterations = tuple(range(first, first + num_points))
    values = tuple(map(float, iterations))
    return CurveBlock(trial=0, metric="loss", split="train", iterations=iterations, values=values)


def test_a_batch_is_cut_where_it_is_full() -> None:
    assert cut([]) == (0, False)
    assert cut([block(1), block(1)]) == (2, False)
    assert cut([block(BATCH_POINTS), block(1)]) == (1, True)
    assert cut([block(BATCH_POINTS - 1), block(2)]) == (1, True)
    assert cut([block(5_000)]) == (1, True)
    assert cut([block(1)] * 3_000) == (MAX_BLOCKS, True)
    assert cut([outcome(0)] * 3_000) == (BATCH_OUTCOMES, True)


def test_a_batch_is_full_by_its_bytes_too() -> None:
    large = outcome(0).model_copy(update={"message": "é" * (BATCH_BYTES // 5)})  # two bytes each
    assert cut([large] * 2) == (2, False)
    assert cut([large] * 10) == (2, True)
    assert cut([block(1), large.model_copy(update={"message": "x" * BATCH_BYTES})]) == (1, True)
    spool = Spool()
    for trial in range(10):
        spool.put(large.model_copy(update={"trial": trial}))
    spool.close()
    taken = []
    while (batch := spool.take()) is not None:
        taken.append(len(batch.outcomes))
    assert [*taken, len(spool.rest().outcomes)] == [2, 2, 2, 2, 2]


def test_a_newer_checkpoint_takes_the_place_of_one_that_was_not_sent() -> None:
    spool = Spool(batch_seconds=60.0)
    newer = CHECKPOINT.model_copy(update={"epoch": 2, "path": "/y"})
    others = CHECKPOINT.model_copy(update={"trial": 1})
    for report in (block(1), CHECKPOINT, SNAPSHOT, others):
        assert spool.put(report) is None
    assert spool.put(newer) == CHECKPOINT
    spool.close()
    sent = []
    while (batch := spool.take()) is not None:
        sent.append(batch.artifact)
    assert sent == [None, SNAPSHOT, others, newer]


def test_a_checkpoint_travels_alone_after_what_it_covers() -> None:
    assert cut([block(1), CHECKPOINT, block(1)]) == (1, True)
    assert cut([CHECKPOINT, block(1)]) == (1, True)
    assert cut([CHECKPOINT, SNAPSHOT, outcome(0)]) == (1, True)
    assert cut([SNAPSHOT, outcome(0)]) == (1, True)
    assert cut([outcome(0), SNAPSHOT]) == (1, True)


def test_reports_leave_in_order_and_none_is_lost() -> None:
    spool = Spool(batch_seconds=0.001)
    reports = [block(700, first=700 * i) for i in range(20)]
    batches: list[Batch] = []

    def drain() -> None:
        while (batch := spool.take()) is not None:
            batches.append(batch)

    thread = threading.Thread(target=drain)
    thread.start()
    for report in reports[:10]:
        spool.put(report)
    spool.put(CHECKPOINT)
    for report in reports[10:]:
        spool.put(report)
    spool.put(outcome(0))
    spool.close()
    thread.join(5.0)
    batches.append(spool.rest())
    assert [item for batch in batches for item in batch.blocks] == reports
    position = next(i for i, batch in enumerate(batches) if batch.artifact)
    assert [item for batch in batches[:position] for item in batch.blocks] == reports[:10]
    assert batches[-1].outcomes == (outcome(0),)


def test_members_that_pause_in_turn_share_their_requests() -> None:
    spool = Spool(batch_seconds=60.0)
    reported: list[list[Report]] = [
        [
            block(1).model_copy(update={"trial": trial}),
            CHECKPOINT.model_copy(update={"trial": trial}),
            outcome(trial),
        ]
        for trial in range(5)
    ]
    for report in itertools.chain(*reported):
        spool.put(report)
    spool.close()
    batches: list[Batch] = []
    while (batch := spool.take()) is not None:
        batches.append(batch)
    batches.append(spool.rest())

    assert len(batches) == 1 + 5 + 1
    left: list[Report] = []
    for batch in batches:
        left += [*batch.blocks, *([batch.artifact] if batch.artifact else []), *batch.outcomes]
    for trial, own in enumerate(reported):
        assert [report for report in left if report.trial == trial] == own


def test_a_report_waits_a_moment_for_others() -> None:
    spool = Spool(batch_seconds=0.2)
    spool.put(block(1))
    began = time.monotonic()
    spool.put(block(1, first=1))
    batch = spool.take()
    assert batch is not None
    assert len(batch.blocks) == 2
    assert 0.1 < time.monotonic() - began < 2.0


def test_a_full_spool_holds_the_run_back_until_something_leaves() -> None:
    spool = Spool(batch_seconds=0.0, most_points=10)
    spool.put(block(10))
    thread = threading.Thread(target=spool.put, args=(block(1, first=10),))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert spool.take() is not None
    thread.join(5.0)
    assert not thread.is_alive()


def test_discarding_frees_everybody() -> None:
    spool = Spool(batch_seconds=0.0, most_points=1)
    spool.put(block(1))
    thread = threading.Thread(target=spool.put, args=(block(1, first=1),))
    thread.start()
    spool.discard()
    thread.join(5.0)
    assert not thread.is_alive()
    assert spool.take() is None
