"""Runs the service: its socket, its tokens, its local engine, and an orderly end."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn

from service.database.lock import lock_data_dir, lock_database
from service.errors import StartupError
from service.local_engine import LocalEngine, agent_name
from service.server import server_file
from service.server.app import create_app
from service.server.server_file import ServerFile
from service.settings import Settings, prepare_data_dir
from service.use_cases import tokens, workers
from service.use_cases.preshared import enrol
from service.version import VERSION
from service.web.context import Context, open_context
from service.web.security import TokenScope

GRACEFUL_SECONDS = 3
KEEP_ALIVE_SECONDS = 75
"""Above what clients keep a connection for, so that none is closed under a request."""
BACKLOG = 2048
MAX_PORT = 65535


class AddressError(StartupError):
    """The address cannot be listened on."""

    code = "address"


class PortInUse(AddressError):
    """Somebody else listens there."""


def serve(
    settings: Settings,
    *,
    with_worker: bool,
    slots: int | None,
    ready: Callable[[ServerFile], None],
    stop: threading.Event | None = None,
    num_more_ports: int = 0,
) -> None:
    """Serve until a signal comes.

    Args:
        settings: What can be set.
        with_worker: Whether to start and watch an agent on this machine.
        slots: Its slots; None leaves it to the agent.
        ready: Called once requests are answered, with the address and the token.
        stop: Ends the service when it is set, as a signal does.
        num_more_ports: How many ports after the settings' are tried where that is in use, and
            then any free one; 0: none.

    Raises:
        StartupError: It cannot serve; the message names the cure.
    """
    prepare_data_dir(settings)
    with (
        lock_database(settings),
        lock_data_dir(settings),
        _listen_near(settings, num_more_ports) as listener,
    ):
        context = open_context(settings)
        file = _introduce(context, _address(listener))
        engine = _engine(context, file.address, slots) if with_worker else None

        def leave() -> None:
            if engine is not None:
                engine.stop()
            context.closing.set()

        config = uvicorn.Config(
            create_app(settings, opened=context),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),  # else anybody could name an address
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )

        def leave_at_once() -> None:
            if engine is not None:
                engine.kill()
            context.closing.set()

        server = _Server(config, before_exit=leave, at_once=leave_at_once)
        if stop is not None:
            threading.Thread(target=server.exit_with, args=(stop,), daemon=True).start()
        # The server raises the signal again once it has ended: nothing is left to do then.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: None)
        if engine is not None:
            engine.start()
        threading.Thread(target=server.call_when_started, args=(ready, file), daemon=True).start()
        try:
            server.run(sockets=[listener])
        finally:
            leave()
            server_file.write(settings.data_dir, file.model_copy(update={"pid": None}))
            # The interpreter collects garbage as it ends: 0.6 s over a quarter of a million
            # objects, for nothing, and many times that where the machine is busy.
            gc.freeze()


class _Server(uvicorn.Server):
    """Ends in order: the local agent hands its work back while it still can.

    Args:
        config: uvicorn's.
        before_exit: Called at the first signal, in a thread of its own; may take seconds.
        at_once: Called at another one instead; may not.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        before_exit: Callable[[], None],
        at_once: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._before_exit = before_exit
        self._at_once = at_once
        self._leaving = False
        self._started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends the service in order, another one at once."""
        if self._leaving:
            self._at_once()
            self.should_exit = self.force_exit = True  # open requests are left as they are
            return
        self._leaving = True
        threading.Thread(target=self._leave, args=(sig, frame), daemon=True).start()

    def exit_with(self, stop: threading.Event) -> None:
        """End when ``stop`` is set."""
        stop.wait()
        self._before_exit()
        self.should_exit = True

    def call_when_started(self, ready: Callable[[ServerFile], None], file: ServerFile) -> None:
        """Tell that requests are answered now."""
        self._started.wait()
        ready(file)

    def _leave(self, sig: int, frame: FrameType | None) -> None:
        self._before_exit()
        super().handle_exit(sig, frame)


def _listen_near(settings: Settings, num_more_ports: int) -> socket.socket:
    """Listen on the settings' port, or on the next free one where more are allowed.

    Binding itself decides: whoever looks first and binds later may find the port taken.
    """
    host, port = settings.host, settings.port
    if not port or not num_more_ports:
        return _listen(host, port)
    for each in range(port, min(port + num_more_ports, MAX_PORT) + 1):
        with contextlib.suppress(PortInUse):
            return _listen(host, each)
    return _listen(host, 0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} of {host} is in use; give another one with --port, or 0 for any"
            ) from error
        raise AddressError(
            f"cannot listen on {host}:{port} ({error.strerror}); give another --host or --port"
        ) from error
    return listener


def _address(listener: socket.socket) -> str:
    """Where people and workers of this machine reach the service."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _introduce(context: Context, address: str) -> ServerFile:
    """Make the admin's token at the first start, find it again later, and leave the file."""
    data_dir = context.settings.data_dir
    last = server_file.read(data_dir)
    with context.database.write() as session:
        token = enrol(session, context.settings) or tokens.ensure_token(
            session, last.token if last else None, name="first start", scope=TokenScope.ADMIN
        )
    file = ServerFile(address=address, token=token, pid=os.getpid(), version=VERSION)
    server_file.write(data_dir, file)
    return file


def _engine(context: Context, address: str, slots: int | None) -> LocalEngine:
    settings = context.settings
    with context.database.write() as session:
        token = tokens.replace_token(
            session, name=agent_name(settings.data_dir), scope=TokenScope.WORKER
        )

    def bury(name: str) -> None:
        with context.database.write() as session:
            workers.goodbye_named(session, name, settings=settings)

    return LocalEngine(
        server=address, token=token, slots=slots, data_dir=settings.data_dir, bury=bury
    )
