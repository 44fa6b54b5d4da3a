"""Leaves attempts to agents, which claim them by themselves."""

from __future__ import annotations

from collections.abc import Sequence


class AgentDispatcher:
    """The default. Agents wait for work by long poll and hear of a stop by heartbeat."""

    def submit(self, attempts: Sequence[str]) -> None:
        """Nothing to do: a waiting agent was woken when the attempt was committed."""
