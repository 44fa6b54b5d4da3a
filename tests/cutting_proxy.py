"""A door before a service that loses answers and cuts streams, as networks do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CuttingProxy:
    """Forwards bytes between a port of its own and a service's.

    Attributes:
        swallow: How many of the next answers are lost: their request has reached the service.
        cut_after: After how many pieces of answers each next connection is cut; None: never.
        num_cuts: How many connections were cut so far.
    """

    def __init__(self, port: int) -> None:
        self.swallow = 0
        self.cut_after: Iterator[int] | None = None
        self.num_cuts = 0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            for work in (self._requests, self._answers):
                threading.Thread(target=work, args=(near, far), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _requests(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := near.recv(65536):
                far.sendall(piece)
        _end(near, far)

    def _answers(self, near: socket.socket, far: socket.socket) -> None:
        num_pieces, most = 0, None if self.cut_after is None else next(self.cut_after)
        with contextlib.suppress(OSError):
            while piece := far.recv(65536):
                if self.swallow > 0:
                    self.swallow -= 1
                    self.num_cuts += 1
                    break
                near.sendall(piece)
                num_pieces += 1
                if most is not None and num_pieces >= most:
                    self.num_cuts += 1
                    break
        _end(near, far)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def cutting(port: int) -> Iterator[CuttingProxy]:
    """A proxy before the service at this port of this machine."""
    proxy = CuttingProxy(port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
