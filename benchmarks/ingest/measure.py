"""One measurement: a load sent to a server, and whether what it holds afterwards is right."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable

from benchmarks.harness.cells import Measured
from benchmarks.ingest.batches import Target, each_four_times, each_once
from benchmarks.ingest.load import Load, send_from_process
from benchmarks.ingest.served import Served

SENDINGS = 4
"""How often each request goes out in the cell of retries."""


def points(server: Served, *, size: int, connections: int, count: int, first: int) -> Measured:
    """Every point sent once.

    Args:
        server: The service.
        size: Points in a batch.
        connections: How many send at a time, each for an attempt of its own.
        count: Batches of each connection.
        first: Iteration to begin at: one that no load before has reached.

    Raises:
        AssertionError: A point is lost or doubled.
    """
    return _measured(server, each_once, server.targets[:connections], size, count, first, times=1)


def retries(server: Served, *, size: int, connections: int, count: int, first: int) -> Measured:
    """Every point sent four times: twice by each of two connections that go side by side.

    Its rate counts what was sent, as each sending is work. Arguments as of :func:`points`.
    """
    targets = server.targets[: connections // 2]
    return _measured(server, each_four_times, targets, size, count, first, times=SENDINGS)


def _measured(
    server: Served,
    make: Callable[..., list[list[bytes]]],
    targets: list[Target],
    size: int,
    count: int,
    first: int,
    *,
    times: int,
) -> Measured:
    there, total = server.stored()
    arguments = {"targets": targets, "size": size, "count": count, "first": first}
    load, cpu_seconds = send_from_process(server.address, make, arguments, server.cpu_seconds)
    distinct = len(targets) * size * count
    accepted = sum(json.loads(each)["accepted"] for answers in load.answers for each in answers)
    assert accepted == distinct, f"{accepted} points accepted as new of {distinct}"
    stored, sum_of_values = server.stored()
    assert stored == there + distinct, f"{stored - there} points stored of {distinct}"
    expected = total + sum(_values(make(**arguments))) / times
    assert math.isclose(sum_of_values, expected, rel_tol=1e-9), "stored values differ from sent"
    return rates(load, cpu_seconds, times * distinct)


def _values(requests: list[list[bytes]]) -> list[float]:
    """Every value that was sent, as often as it was."""
    bodies = (each.partition(b"\r\n\r\n")[2] for one in requests for each in one)
    blocks = (block for body in bodies for block in json.loads(body)["blocks"])
    return [value for block in blocks for value in block["values"]]


def rates(load: Load, cpu_seconds: float, num_points: int) -> Measured:
    """A load's numbers, as a cell keeps them."""
    return {
        "points_per_second": num_points / load.seconds,
        "points_per_cpu_second": num_points / max(cpu_seconds, 1e-9),
        "latency_ms": 1e3 * statistics.median(load.latencies),
    }
