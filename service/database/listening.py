"""News of other processes: what they publish, heard by LISTEN on Postgres."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Iterable

import psycopg
from sqlalchemy import func, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from service.streams.events import Hub

log = logging.getLogger(__name__)

CHANNEL = "sevenstep"
MAX_PAYLOAD = 7_900
"""Bytes; Postgres takes 8,000. Longer news is told as ``everything``."""
LOOK_SECONDS = 0.5
"""How soon a listener that is to end does so."""
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0
"""Between two tries to reach a database that is away; doubled from the first on."""
CONNECT_SECONDS = 5


class Listener:
    """Publishes in this process's hub what others commit. One connection, a thread of its own.

    A notification is part of the transaction that it tells of, so it comes after the commit
    and never without it. What was missed while the connection was down is made up for by
    waking everybody when it is there again.

    Args:
        url: The Postgres database.
        hub: This process's.
    """

    def __init__(self, url: URL, hub: Hub) -> None:
        self._parameters = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._hub = hub
        self._name = secrets.token_hex(8)
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    @property
    def is_listening(self) -> bool:
        """Whether news of others arrives now."""
        return self._listening.is_set()

    def start(self) -> None:
        """Begin to listen, as soon as the database can be reached."""
        self._thread.start()

    def stop(self) -> None:
        """End, within about half a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CONNECT_SECONDS)

    def notify(self, session: Session, topics: Iterable[str]) -> None:
        """Tell the other processes of topics when the session's transaction is committed."""
        payload = json.dumps([self._name, sorted(topics)])
        if len(payload) > MAX_PAYLOAD:
            payload = json.dumps([self._name, None])
        session.execute(select(func.pg_notify(CHANNEL, payload)))

    def _run(self) -> None:
        wait_seconds = FIRST_WAIT_SECONDS
        while not self._stop.is_set():
            try:
                with psycopg.connect(
                    self._parameters,
                    autocommit=True,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="sevenstep listener",
                    keepalives_idle=10,
                    keepalives_interval=5,
                    keepalives_count=3,
                ) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._listening.set()
                    self._hub.publish_everything()
                    wait_seconds = FIRST_WAIT_SECONDS
                    self._listen(connection)
            except psycopg.Error as error:
                if not self._stop.is_set():
                    log.warning("listening for other processes' news broke off: %s", error)
            finally:
                self._listening.clear()
            self._stop.wait(wait_seconds)
            wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)

    def _listen(self, connection: psycopg.Connection[object]) -> None:
        while not self._stop.is_set():
            for heard in connection.notifies(timeout=LOOK_SECONDS):
                self._tell(heard.payload)

    def _tell(self, payload: str) -> None:
        try:
            sender, topics = json.loads(payload)
            if sender == self._name:
                return  # published here when it was committed
            if topics is not None:
                for topic in topics:
                    self._hub.publish(topic)
                return
        except (ValueError, TypeError, RecursionError) as error:
            # Any role of the database may notify, and other programs may use our channel's name.
            log.warning("a notification that is not ours was heard; everybody looks: %s", error)
        self._hub.publish_everything()
