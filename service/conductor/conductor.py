"""The conductor: moves every study on that can move, and takes back lost attempts."""

from __future__ import annotations

import logging
import threading
import time

from service.conductor.active_clock import ActiveClock
from service.conductor.advance import advance
from service.conductor.pulse import Pulse
from service.conductor.reaper import reap
from service.conductor.recipe import SEVENSTEP, Recipe
from service.conductor.warm_up import warm_up
from service.database.engine import Database
from service.dispatch.agents import AgentDispatcher
from service.dispatch.dispatcher import Dispatcher
from service.repositories import attempts, studies
from service.settings import Settings
from service.streams.events import CONDUCTOR
from service.use_cases.retention import Housekeeping

__all__ = ["Conductor", "advance"]

MAX_DECISIONS = 16
"""Decisions for one study before the others have their turn."""
REAPS_PER_LEASE = 4
log = logging.getLogger(__name__)


class Conductor:
    """Looks whenever something was published, and every tick. Two at once are harmless.

    Args:
        database: Where the studies are.
        settings: Periods and limits.
        dispatcher: Who gets attempts run; agents, when left out.
        recipe: The steps and their order.
        pulse: Beats as it works.
    """

    def __init__(
        self,
        database: Database,
        *,
        settings: Settings,
        dispatcher: Dispatcher | None = None,
        recipe: Recipe = SEVENSTEP,
        pulse: Pulse | None = None,
    ) -> None:
        self._pulse = pulse or Pulse()
        self._database = database
        self._settings = settings
        self._dispatcher = dispatcher or AgentDispatcher()
        self._recipe = recipe
        self._clock = ActiveClock(database)
        self._housekeeping = Housekeeping(database, settings=settings)
        # No worker could renew its lease while the service was away, so none is taken back
        # until all had one whole lease to speak up.
        self._next_reap = time.monotonic() + settings.lease_seconds

    def run(self, stop: threading.Event) -> None:
        """Conduct until ``stop`` is set. To end a sleep at once, publish ``conductor`` too."""
        hub = self._database.hub
        is_warm = False
        while not stop.is_set():
            seen = hub.version(CONDUCTOR)
            self._pulse.beat()
            try:
                self.look(stop)
            except Exception:
                # The database was away, most likely; the next tick looks again.
                log.exception("the conductor could not look; it tries again")
            if not stop.is_set():
                hub.wait_blocking(CONDUCTOR, seen, self._settings.conductor_tick_seconds)
            if not is_warm and not stop.is_set() and hub.version(CONDUCTOR) == seen:
                warm_up()
                is_warm = True

    def look(self, stop: threading.Event | None = None) -> int:
        """Move on what can move, once around; how many decisions were taken."""
        self._clock.beat()
        self._reap_when_due()
        with self._database.read() as session:
            movable = studies.movable_uids(session)
        num_decisions = 0
        for uid in movable:
            for _ in range(MAX_DECISIONS):
                if stop is not None and stop.is_set():
                    return num_decisions
                self._pulse.beat()
                if not self._advance(uid):
                    break
                num_decisions += 1
            else:
                self._database.hub.publish(CONDUCTOR)  # more may be left: look again at once
        with self._database.read() as session:
            queued = attempts.queued_uids(session)
        if queued:
            self._dispatcher.submit(queued)
        self._housekeeping.look()
        return num_decisions

    def _advance(self, uid: str) -> bool:
        try:
            return advance(self._database, uid, settings=self._settings, recipe=self._recipe)
        except Exception:
            # One study's trouble must not keep the others from moving.
            log.exception("study %s could not be moved on; it is tried again", uid)
            return False

    def _reap_when_due(self) -> None:
        if time.monotonic() < self._next_reap:
            return
        self._next_reap = time.monotonic() + self._settings.lease_seconds / REAPS_PER_LEASE
        reap(self._database, settings=self._settings)
