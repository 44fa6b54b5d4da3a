"""Two commands at once: each has a service, whatever the other one does at that moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from service.client import Client
from service.commands.launch import Served, service
from service.database.lock import lock_database
from service.settings import Settings
from tests.processes import free_port, wait_for

pytestmark = pytest.mark.timeout(120)


@contextmanager
def begun_at_once(first: Settings, second: Settings) -> Iterator[list[Served]]:
    """Both commands' services, asked for at the same moment; both ended afterwards."""
    gate, done = threading.Barrier(2), threading.Event()
    found: dict[int, Served] = {}
    both = threading.Barrier(3)

    def command(number: int, settings: Settings) -> None:
        gate.wait()
        try:
            with service(settings, slots="1") as served:
                found[number] = served
                both.wait(90)
                done.wait(90)
        except BaseException:
            both.abort()
            raise

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(command, n, each) for n, each in enumerate((first, second))]
        try:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(90)
                yield [found[0], found[1]]
        finally:
            done.set()
        for each in running:
            each.result()


def test_two_commands_of_two_data_directories_take_two_ports(tmp_path: Path) -> None:
    port = free_port()
    first, second = (Settings(data_dir=tmp_path / name, port=port) for name in "ab")
    with begun_at_once(first, second) as served:
        addresses = {each.file.address for each in served}
        assert len(addresses) == 2
        assert f"http://127.0.0.1:{port}" in addresses
        assert all(each.is_own for each in served)


def test_two_commands_of_one_data_directory_share_a_service(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=free_port())
    with begun_at_once(settings, settings) as served:
        assert served[0].file == served[1].file
        assert [each.is_own for each in served].count(True) == 1
        with Client(served[0].file.address, served[1].file.token) as client:
            assert client.studies() == []


def test_a_service_that_ends_meanwhile_is_followed_by_ones_own(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=0)
    held = threading.Event()

    def hold() -> None:
        with lock_database(settings):
            held.set()
            first = wait_for(_serve_process, what="a first try").pid
            wait_for(lambda: not psutil.pid_exists(first), what="its end")

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert held.wait(10)
        with service(settings, slots="1") as served:
            assert served.is_own
            assert holding.done()
        holding.result()


def _serve_process() -> psutil.Process | None:
    found = psutil.Process().children()
    return next((each for each in found if "--for-command" in each.cmdline()), None)
