"""The load generator: bare keep-alive connections, one request under way on each.

It runs in a process of its own, so that its time is not the server's, and does nothing while
the clock runs but send what was made beforehand and read the answers.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

RECEIVED_BYTES = 65_536
PATIENCE_SECONDS = 60.0
"""Longest without any answer."""


class LoadError(Exception):
    """The server answered an error, or nothing."""


@dataclass
class Load:
    """What came of a load.

    Attributes:
        seconds: From the first byte sent to the last answer read.
        answers: Bodies, by connection, in the order of its requests.
        latencies: Seconds from each request to its answer.
    """

    seconds: float
    answers: list[list[bytes]]
    latencies: list[float]


@dataclass
class _Connection:
    address: tuple[str, int]
    requests: Sequence[bytes]
    socket: socket.socket = field(init=False)
    sent: int = 0
    sent_at: float = 0.0
    received: bytes = b""
    answers: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_next(self) -> bool:
        """Whether there was one more to send."""
        if self.sent == len(self.requests):
            return False
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.requests[self.sent])
        self.sent += 1
        return True

    def read(self) -> bool:
        """Whether an answer is complete now. Raises LoadError."""
        data = self.socket.recv(RECEIVED_BYTES)
        if not data:
            raise LoadError("the server closed the connection")
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return False
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length:"))
        if len(body) < int(length.partition(b":")[2]):
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise LoadError(f"{head[:80]!r} {body[:300]!r}")
        self.answers.append(body)
        self.received = b""
        return True


def send(address: tuple[str, int], requests: Sequence[Sequence[bytes]]) -> Load:
    """Send each connection's requests one after the other, all connections at a time.

    Raises:
        LoadError: An answer is no 200, or does not come.
    """
    with ExitStack() as closing:
        connections = [_Connection(address, each) for each in requests]
        for each in connections:
            closing.enter_context(each.socket)
        began = time.perf_counter()
        latencies = _exchange(connections)
        seconds = time.perf_counter() - began
    return Load(seconds, [each.answers for each in connections], latencies)


def _exchange(connections: Sequence[_Connection]) -> list[float]:
    """Send and read until all is answered; the seconds to each answer."""
    latencies = []
    with selectors.DefaultSelector() as selector:
        for each in connections:
            each.send_next()
            selector.register(each.socket, selectors.EVENT_READ, each)
        while selector.get_map():
            ready = selector.select(PATIENCE_SECONDS)
            if not ready:
                raise LoadError(f"no answer within {PATIENCE_SECONDS:.0f} s")
            for key, _ in ready:
                connection: _Connection = key.data
                if connection.read():
                    latencies.append(time.perf_counter() - connection.sent_at)
                    if not connection.send_next():
                        selector.unregister(connection.socket)
    return latencies


def send_from_process(
    address: tuple[str, int],
    make: Callable[..., Sequence[Sequence[bytes]]],
    arguments: dict[str, Any],
    around: Callable[[], float],
) -> tuple[Load, float]:
    """The same from a process of its own, which makes the requests first.

    Args:
        address: The server's.
        make: A function of a module, that gives each connection's requests.
        arguments: Its keywords.
        around: Seconds of CPU that the server has taken; read before and after.

    Returns:
        The load, and the server's seconds of CPU meanwhile.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, address, make, arguments))
    process.start()
    theirs.close()
    try:
        ours.recv()  # the requests are made
        before = around()
        ours.send(None)
        result = ours.recv()
        used = around() - before
    except EOFError:
        raise LoadError("the load generator ended early; its traceback says why") from None
    finally:
        process.join()
    if isinstance(result, str):
        raise LoadError(result)
    return result, used


def _work(pipe: Any, address: Any, make: Any, arguments: Any) -> None:
    requests = make(**arguments)
    pipe.send(None)
    pipe.recv()
    try:
        pipe.send(send(address, requests))
    except LoadError as error:
        pipe.send(str(error))
