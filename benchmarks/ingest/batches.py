"""What the load generator sends: requests made beforehand, so that it only sends them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

CURVES = (("loss", "train"), ("accuracy", "train"))
"""A batch of more than one point is spread over these, as a worker's is while it trains."""


@dataclass(frozen=True)
class Target:
    """An attempt to write for.

    Attributes:
        address: The service's, as ``host:port``.
        attempt: Its uid.
        trial: Its member's number.
        fence: Under which it is held.
        token: Its own.
    """

    address: str
    attempt: str
    trial: int
    fence: int
    token: str


def point_requests(target: Target, *, size: int, count: int, first: int, seed: int) -> list[bytes]:
    """HTTP requests of ``size`` points each, no point in two of them.

    Args:
        target: Who writes.
        size: Points in a request.
        count: Requests.
        first: The iteration they begin at.
        seed: Of the values.
    """
    draw = random.Random(seed)
    names = CURVES[: min(size, len(CURVES))]
    each = size // len(names)
    made = []
    for number in range(count):
        begin = first + number * each
        iterations = list(range(begin, begin + each))
        blocks = [
            {
                "trial": target.trial,
                "metric": metric,
                "split": split,
                "iterations": iterations,
                "values": [draw.random() for _ in iterations],
            }
            for metric, split in names
        ]
        body = {"fence": target.fence, "blocks": blocks}
        made.append(
            http_post(
                target.address, f"/api/v1/attempts/{target.attempt}/points", body, target.token
            )
        )
    return made


def mlflow_requests(address: str, run: str, *, size: int, count: int, first: int) -> list[bytes]:
    """The same points for an MLflow run, by its REST interface (``runs/log-batch``)."""
    names = CURVES[: min(size, len(CURVES))]
    each = size // len(names)
    draw = random.Random(first)
    made = []
    for number in range(count):
        begin = first + number * each
        metrics = [
            {"key": f"{split}/{metric}", "value": draw.random(), "timestamp": step, "step": step}
            for metric, split in names
            for step in range(begin, begin + each)
        ]
        made.append(
            http_post(
                address, "/api/2.0/mlflow/runs/log-batch", {"run_id": run, "metrics": metrics}
            )
        )
    return made


def http_post(address: str, path: str, body: object, token: str | None = None) -> bytes:
    """A request as it goes over the wire."""
    data = json.dumps(body, separators=(",", ":")).encode()
    return b"\r\n".join([*_heads(address, path, len(data), token), b"", data])


def _heads(address: str, path: str, length: int, token: str | None) -> Iterator[bytes]:
    yield f"POST {path} HTTP/1.1".encode()
    yield f"Host: {address}".encode()
    if token is not None:
        yield f"Authorization: Bearer {token}".encode()
    yield b"Content-Type: application/json"
    yield f"Content-Length: {length}".encode()


def each_once(targets: list[Target], *, size: int, count: int, first: int) -> list[list[bytes]]:
    """Requests of one connection an attempt, ``count`` each, every point in one of them."""
    return [
        point_requests(target, size=size, count=count, first=first, seed=first + number)
        for number, target in enumerate(targets)
    ]


def each_four_times(
    targets: list[Target], *, size: int, count: int, first: int
) -> list[list[bytes]]:
    """The same for two connections an attempt, both of which send each request twice in turn."""
    made = each_once(targets, size=size, count=count, first=first)
    return [[each for each in requests for _ in range(2)] for requests in made for _ in range(2)]


def mlflow_batches(
    address: str, runs: list[str], *, size: int, count: int, first: int
) -> list[list[bytes]]:
    """Requests of one connection an MLflow run, ``count`` each."""
    return [
        mlflow_requests(address, run, size=size, count=count, first=first + number * size * count)
        for number, run in enumerate(runs)
    ]
