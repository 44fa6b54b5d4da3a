"""What happened in a study, in order, and who wants to know of it at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.orm import Session

from service.repositories import events as repository
from service.views.models import EventView

JOBS = "jobs"
"""Topic: an attempt was queued."""
CONDUCTOR = "conductor"
"""Topic: a study may be able to move on."""
EVENTS = "events"
"""Topic: some study has a new event, or was deleted."""
MAX_COUNTERS = 1_000
"""Topics that are counted without anybody who waits at them: a few hundred kilobytes."""


def study_topic(uid: str) -> str:
    """Topic: the study has a new event."""
    return f"study:{uid}"


class Hub:
    """Wakes those who wait for a topic, in this process. Any thread may call any method.

    What other processes publish on a Postgres database comes in by
    :class:`service.database.listening.Listener`.

    A topic is a counter. A waiter remembers the count it has seen, looks at the database,
    and waits for a higher one; so nothing published between looking and waiting is missed.

    Counters nobody waits at are forgotten when there are too many. A forgotten topic counts
    from the highest count that was forgotten: who remembers a count of it, on the way from its
    look to its wait, may be woken for nothing and is never left asleep.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()  # its lock may be taken again by its holder
        self._versions: dict[str, int] = {}
        self._floor = 0
        self._waiters: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    def version(self, topic: str) -> int:
        """The topic's count: it grows with each publication, and never shrinks."""
        with self._condition:
            return self._versions.get(topic, self._floor)

    def publish(self, topic: str) -> None:
        """Something about the topic is in the database now."""
        with self._condition:
            self._versions[topic] = self.version(topic) + 1
            self._condition.notify_all()
            self._wake(topic)
            if len(self._versions) > MAX_COUNTERS + len(self._waiters):
                self._forget(keep=self._waiters.keys())

    def publish_everything(self) -> None:
        """Anything may be in the database now: everybody looks."""
        with self._condition:
            self._forget()
            self._floor += 1
            self._condition.notify_all()
            for topic in self._waiters:
                self._wake(topic)

    async def wait(self, topic: str, seen: int, timeout_seconds: float) -> int:
        """Wait, holding no thread, until the topic's count is above ``seen`` or time is up.

        Returns:
            The count now: equal to ``seen`` when time was up.
        """
        await self.wait_any({topic: seen}, timeout_seconds)
        return self.version(topic)

    async def wait_any(self, seen: Mapping[str, int], timeout_seconds: float) -> bool:
        """Wait, holding no thread, for news of any of some topics.

        Args:
            seen: The topics, each with the count that its waiter has seen.
            timeout_seconds: The longest to wait.

        Returns:
            Whether there is news; False when time was up.
        """

        def is_news() -> bool:
            return any(self.version(topic) > count for topic, count in seen.items())

        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._condition:
            if is_news():
                return True
            for topic in seen:
                self._waiters.setdefault(topic, set()).add(waiter)
        try:
            await asyncio.wait_for(waiter[1].wait(), timeout_seconds)
        except TimeoutError:
            pass
        finally:
            with self._condition:
                for topic in seen:
                    waiting = self._waiters[topic]
                    waiting.discard(waiter)
                    if not waiting:
                        del self._waiters[topic]
        with self._condition:
            return is_news()

    def wait_blocking(self, topic: str, seen: int, timeout_seconds: float) -> int:
        """The same for a thread of its own."""
        deadline = time.monotonic() + timeout_seconds
        with self._condition:
            while self.version(topic) <= seen:
                left = deadline - time.monotonic()
                if left <= 0 or not self._condition.wait(left):
                    break
            return self.version(topic)

    def _wake(self, topic: str) -> None:
        for loop, event in self._waiters.get(topic, ()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _forget(self, keep: Collection[str] = ()) -> None:
        kept = {topic: count for topic, count in self._versions.items() if topic in keep}
        gone = (count for topic, count in self._versions.items() if topic not in keep)
        self._floor = max(self._floor, *gone, 0)
        self._versions = kept


def publish_on_commit(session: Session, *topics: str) -> None:
    """Have the topics published once this session's transaction is committed."""
    session.info.setdefault("topics", {}).update(dict.fromkeys(topics))


def append(session: Session, study_id: int, kind: str, payload: Mapping[str, Any]) -> None:
    """Write an event of a study under the study's row lock; published on commit.

    A ``points`` event replaces the one before it: it only says that curves have grown, so a
    study of many points keeps one row of them, not one a batch.

    Args:
        session: A write session.
        study_id: The study's row.
        kind: ``study``, ``step``, ``trial`` or ``points``.
        payload: JSON scalars; what a page needs to know which part to fetch again.
    """
    uid = repository.add(session, study_id, kind=kind, payload=payload, alone=kind == "points")
    publish_on_commit(session, study_topic(uid), EVENTS)


def since(session: Session, study_uid: str, after: int, limit: int = 1000) -> list[EventView]:
    """Events of a study with a sequence above ``after``, oldest first, at most ``limit``.

    Raises:
        NotFound: There is no such study.
    """
    return repository.since(session, study_uid, after, limit)


def newest_kept(session: Session, study_uid: str) -> int:
    """The highest sequence among the events of a study that retention left; 0 without any."""
    return repository.newest_kept(session, study_uid)


def latest(session: Session, study_uid: str) -> int:
    """The sequence of a study's newest event; 0 when there is none yet.

    Raises:
        NotFound: There is no such study.
    """
    return repository.latest(session, study_uid)
