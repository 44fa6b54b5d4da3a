"""The ingest benchmark: what it sends is what is stored, and it notices when it is not."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from benchmarks.ingest import measure
from benchmarks.ingest.batches import Target, each_four_times, each_once, mlflow_batches
from benchmarks.ingest.document import rows
from benchmarks.ingest.load import LoadError, send
from benchmarks.ingest.plan import RETRIES, plans
from benchmarks.ingest.served import served

TARGETS = [Target("127.0.0.1:1", "a" * 16, trial, 1, "svsa_x") for trial in range(2)]


def bodies(requests: list[list[bytes]]) -> list[list[object]]:
    return [[json.loads(each.partition(b"\r\n\r\n")[2]) for each in one] for one in requests]


@pytest.mark.parametrize("size", [1, 50, 500])
def test_a_batch_holds_its_points_and_no_point_is_in_two(size: int) -> None:
    for sent in bodies(each_once(TARGETS, size=size, count=3, first=7)):
        keys = []
        for body in sent:
            assert isinstance(body, dict)
            points = [(b["metric"], i) for b in body["blocks"] for i in b["iterations"]]
            assert len(points) == size
            keys += points
        assert len(set(keys)) == len(keys)


def test_retries_are_the_same_bytes_four_times() -> None:
    once = each_once(TARGETS, size=2, count=3, first=0)
    again = each_four_times(TARGETS, size=2, count=3, first=0)
    assert len(again) == 4
    assert again[0] == again[1] == [each for each in once[0] for _ in range(2)]


def test_mlflow_gets_as_many_points() -> None:
    sent = bodies(mlflow_batches("127.0.0.1:1", ["a", "b"], size=50, count=2, first=0))
    counts = [len(body["metrics"]) for one in sent for body in one if isinstance(body, dict)]
    assert counts == [50] * 4


def test_a_load_on_the_service_is_stored_whole() -> None:
    with served("sqlite", 2) as server:
        numbers = measure.points(server, size=50, connections=2, count=3, first=0)
        assert numbers["points_per_second"] > 0
        measure.retries(server, size=50, connections=2, count=3, first=1_000)
        with pytest.raises(AssertionError, match="0 points accepted as new of 100"):
            measure.points(server, size=50, connections=1, count=2, first=0)


def test_an_answer_that_is_an_error_ends_the_load() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(LoadError, match="503"):
            send(listener.getsockname(), [[b"POST / HTTP/1.1\r\n\r\n"]])
        thread.join()


def test_every_load_has_a_row() -> None:
    numbers = {"points_per_second": 2.0, "points_per_cpu_second": 4.0, "latency_ms": 1.0}
    cell = {plan.name: numbers for plan in [*plans(), RETRIES]}
    assert len(rows({"sqlite": [cell, cell]})) == len(cell)
