"""Who this agent is to the service."""

from __future__ import annotations

import logging
import threading

from recipes.wire import RegisterAnswer, RegisterRequest
from worker.agent.client import Refused, ServiceClient, UnknownWorker
from worker.agent.home import AgentFolder

logger = logging.getLogger(__name__)


class Registration:
    """An agent's registration, renewed when the service no longer knows it.

    Args:
        client: The way to the service.
        request: How the agent introduces itself.
        folder: Where its ids are noted, for those who come after it.

    Raises (every method): what the client raises.
    """

    def __init__(
        self, client: ServiceClient, request: RegisterRequest, folder: AgentFolder
    ) -> None:
        self.request = request
        self._client = client
        self._folder = folder
        self._answer: RegisterAnswer | None = None
        self._changing = threading.Lock()

    def first(self) -> RegisterAnswer:
        """Register, then say goodbye for agents that died in the same home."""
        answer = self.renew(stale=None)
        self._folder.bury(self._client.server, self._bury)
        return answer

    def current(self) -> RegisterAnswer:
        """The latest registration."""
        assert self._answer is not None, "nothing is asked before the first registration"
        return self._answer

    def renew(self, *, stale: str | None) -> RegisterAnswer:
        """Register again, unless another thread already replaced the id ``stale``."""
        with self._changing:
            if self._answer is not None and self._answer.worker != stale:
                return self._answer
            self._answer = self._client.register(self.request)
            self._folder.record(self._client.server, self._answer.worker)
            logger.info("registered as worker %s", self._answer.worker)
            return self._answer

    def goodbye(self) -> None:
        """The agent leaves."""
        if self._answer is not None:
            self._client.goodbye(self._answer.worker)

    def _bury(self, worker: str) -> None:
        try:
            self._client.goodbye(worker)
        except (UnknownWorker, Refused) as error:
            logger.info("worker %s was gone already: %s", worker, error)
