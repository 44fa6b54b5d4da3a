"""Too much of everything, against a real process: it refuses, lives, and stays small."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from service.server.server_file import ServerFile
from tests.processes import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MEBIBYTE = 2**20
GROWTH_MIB = 150
"""Most that the process may grow by: some bodies of 4 MiB at a time, parsed. A body of 1 GiB
that was held, or a gzip of one that was undone, would show as 1,000."""
STREAMED_BYTES = 2**30


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[psutil.Process, ServerFile]]:
    with serving(tmp_path_factory.mktemp("oversize") / "data") as (process, file):
        watched = psutil.Process(process.pid)
        with client(file) as http:  # what is loaded at a first request is not the body's weight
            http.post("/api/v1/studies", json={"name": "n", "task": "no such task"})
            http.get("/api/v1/studies")
        yield watched, file


def client(file: ServerFile) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {file.token}", "Content-Type": "application/json"}
    return httpx2.Client(base_url=file.address, headers=headers, timeout=120.0, trust_env=False)


def rss_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / MEBIBYTE


def endless(total: int) -> Iterator[bytes]:
    piece = b"a" * MEBIBYTE
    yield b'{"name": "'
    for _ in range(total // MEBIBYTE):
        yield piece


BODIES: dict[str, bytes] = {
    "deep arrays": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 500_000,
    "deep, closed": b"[" * 100_000 + b"]" * 100_000,
    "a million numbers": json.dumps({"name": "n", "set": [1] * 1_000_000}).encode(),
    "a million keys": json.dumps(
        {"name": "n", "set": {f"k{i}": 1 for i in range(200_000)}}
    ).encode(),
    "a long name": json.dumps({"name": "n" * 3_000_000, "task": "digits"}).encode(),
    "a long number": b'{"name": "n", "task": "digits", "seed": ' + b"9" * 1_000_000 + b"}",
    "many steps": json.dumps({"name": "n", "task": "digits", "steps": [1] * 900_000}).encode(),
    "a gzip bomb": gzip.compress(b"a" * (200 * MEBIBYTE)),
    "a wide space": json.dumps(
        {
            "name": "n",
            "task": "digits",
            "space": {"lr": {"kind": "categorical", "choices": list(range(300_000))}},
        }
    ).encode(),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_too_much_is_refused_in_bounded_memory(
    service: tuple[psutil.Process, ServerFile], what: str
) -> None:
    process, file = service
    before = rss_mib(process)
    headers = {"Content-Encoding": "gzip"} if "gzip" in what else {}
    with client(file) as http:
        for _ in range(3):
            answer = http.post("/api/v1/studies", content=BODIES[what], headers=headers)
            assert answer.status_code in (413, 415, 422), answer.text[:200]
            assert len(answer.content) < 100_000
        assert http.get("/healthz").status_code == 200
    assert rss_mib(process) - before < GROWTH_MIB


@pytest.mark.parametrize("path", ["/api/v1/studies", "/login", "/api/v1/workers/register"])
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_gigabyte_is_cut_off_as_it_comes(
    service: tuple[psutil.Process, ServerFile], path: str, is_announced: bool
) -> None:
    process, file = service
    before = rss_mib(process)
    headers = {"Content-Length": str(STREAMED_BYTES + 10)} if is_announced else {}
    with client(file) as http:
        try:
            answer = http.post(path, content=endless(STREAMED_BYTES), headers=headers)
            assert answer.status_code == 413
        except httpx2.TransportError:
            pass  # the service hung up while the client still wrote: refused as well
        assert http.get("/healthz").status_code == 200
    assert rss_mib(process) - before < GROWTH_MIB


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: "
        + b"a" * 8 * MEBIBYTE
        + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Many: a\r\n" * 500_000 + b"\r\n",
        b"GET /api/v1/studies?cursor="
        + b"a" * 8 * MEBIBYTE
        + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /" + b"a/" * 4 * MEBIBYTE + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: "
        + b"a=b;" * 2 * MEBIBYTE
        + b"\r\n\r\n",
        b"G" * 8 * MEBIBYTE,
    ],
    ids=["a long header", "many headers", "a long query", "a long path", "cookies", "no request"],
)
def test_a_head_that_is_too_much_is_refused_in_bounded_memory(
    service: tuple[psutil.Process, ServerFile], head: bytes
) -> None:
    process, file = service
    before = rss_mib(process)
    host, _, port = file.address.removeprefix("http://").partition(":")
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            try:
                connection.sendall(head)
                answer = connection.recv(64)
            except OSError:
                answer = b""
        assert b" 200 " not in answer
        assert b" 5" not in answer[:12]
    with client(file) as http:
        assert http.get("/healthz").status_code == 200
    assert rss_mib(process) - before < GROWTH_MIB


def test_many_idle_connections_do_not_keep_others_out(
    service: tuple[psutil.Process, ServerFile],
) -> None:
    process, file = service
    before = rss_mib(process)
    host, _, port = file.address.removeprefix("http://").partition(":")
    held = [socket.create_connection((host, int(port)), timeout=30) for _ in range(300)]
    for connection in held:
        connection.sendall(b"POST /api/v1/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    with client(file) as http:
        assert http.get("/api/v1/studies").status_code == 200
    for connection in held:
        connection.close()
    assert rss_mib(process) - before < GROWTH_MIB


def test_the_sizes_are_what_they_say(tmp_path: Path) -> None:
    assert len(BODIES["a gzip bomb"]) < MEBIBYTE
    assert sum(map(len, endless(4 * MEBIBYTE))) > 4 * MEBIBYTE
