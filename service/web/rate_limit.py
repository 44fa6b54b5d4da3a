"""How often one token may ask: buckets in memory, so that none starves the others.

A bucket holds ten seconds' worth of requests and fills steadily; who finds it empty is
answered 429 with the seconds to wait. Heartbeats and ends have buckets of their own, and so
have curve points and claims: whatever else a token does, an attempt stays alive.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access import Access
from service.settings import Settings
from service.web.problems import ProblemResponse, problem_response
from service.web.scopes import ASSETS, ROUTES, Need, request_state

BURST_SECONDS = 10.0
"""What a full bucket holds, in seconds of its rate."""
MAX_BUCKETS = 10_000
"""Beyond this many those not used for longest are forgotten, and are full when they come back."""
NOBODY = "nobody"


class Bucket(StrEnum):
    """Kinds of requests that are counted apart."""

    REQUESTS = "requests"
    HEARTBEATS = "heartbeats"
    POINTS = "points"
    CLAIMS = "claims"
    LOGINS = "logins"


BUCKETS = {
    "attempt_heartbeat": Bucket.HEARTBEATS,
    "finish_attempt": Bucket.HEARTBEATS,
    "worker_heartbeat": Bucket.HEARTBEATS,
    "say_goodbye": Bucket.HEARTBEATS,
    "add_points": Bucket.POINTS,
    "add_artifact": Bucket.POINTS,
    "get_artifact": Bucket.POINTS,
    "register_worker": Bucket.CLAIMS,
    "claim_attempt": Bucket.CLAIMS,
}
"""Routes, by name, that do not share the bucket of all others."""
LOGIN_ROUTES = frozenset({"login", "login_page"})


@dataclass(slots=True)
class _Level:
    tokens: float
    at: float


class RateLimits:
    """Every bucket of this process. Used from the event loop alone.

    Args:
        rates: Requests a second of each kind, for each owner; 0 is no limit.
        clock: Seconds that never go back.
    """

    def __init__(
        self, rates: dict[Bucket, float], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = rates
        self._clock = clock
        self._levels: dict[tuple[Bucket, str], _Level] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, bucket: Bucket, owner: str) -> float:
        """Take one from an owner's bucket.

        Returns:
            Seconds until there would be one; 0.0 when there was.
        """
        wait = self.wait(bucket, owner)
        if wait == 0.0 and self._rates[bucket] > 0:
            self._levels[bucket, owner].tokens -= 1
        return wait

    def give_back(self, bucket: Bucket, owner: str) -> None:
        """Put back what was taken from an owner's bucket, which is full at the most as before."""
        level = self._levels.get((bucket, owner))
        if level is not None:
            level.tokens = min(self._most(bucket), level.tokens + 1)

    def _most(self, bucket: Bucket) -> float:
        return max(1.0, self._rates[bucket] * BURST_SECONDS)

    def wait(self, bucket: Bucket, owner: str) -> float:
        """Seconds until an owner's bucket holds one; 0.0 when it does. Takes nothing."""
        rate = self._rates[bucket]
        if rate <= 0:
            return 0.0
        most = self._most(bucket)
        now = self._clock()
        level = self._levels.pop((bucket, owner), None) or _Level(most, now)
        if len(self._levels) >= MAX_BUCKETS:
            del self._levels[next(iter(self._levels))]
        self._levels[bucket, owner] = level  # in the order of their last use
        level.tokens = min(most, level.tokens + (now - level.at) * rate)
        level.at = now
        return 0.0 if level.tokens >= 1 else (1 - level.tokens) / rate


def limits_of(settings: Settings) -> RateLimits:
    """The buckets that the settings ask for."""
    return RateLimits(
        {
            Bucket.REQUESTS: settings.max_requests_per_second,
            Bucket.HEARTBEATS: settings.max_heartbeats_per_second,
            Bucket.POINTS: settings.max_points_requests_per_second,
            Bucket.CLAIMS: settings.max_claims_per_second,
            Bucket.LOGINS: settings.max_failed_logins_per_minute / 60,
        }
    )


class RateLimit:
    """Answers 429 to a token that asks too often, and to an address that guesses tokens.

    It stands behind the authentication, which says whose request it is and for which route.

    Args:
        app: What follows.
        limits: The buckets.
    """

    def __init__(self, app: ASGIApp, *, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = request_state(scope)
        route, access = state.get("route_name", ""), state.get("access")
        if route in LOGIN_ROUTES:
            await self._log_in(scope, receive, send)
            return
        is_open = ROUTES.get(route) is Need.NOTHING or route == ASSETS
        if is_open or not isinstance(access, Access):  # probes, the sign-in page's own files
            await self._app(scope, receive, send)
            return
        bucket = BUCKETS.get(route, Bucket.REQUESTS)
        wait = self._limits.take(bucket, access.owner)
        if wait > 0:
            await too_many(bucket, wait)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let an address try while its bucket holds; what was no failed try is given back.

        It is taken beforehand: of many tries at once none is answered before the last came.
        """
        client = scope.get("client")
        address = client[0] if client else NOBODY
        wait = self._limits.take(Bucket.LOGINS, address)
        if wait > 0:
            await too_many(Bucket.LOGINS, wait)(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 401:
                self._limits.give_back(Bucket.LOGINS, address)
            await send(message)

        await self._app(scope, receive, watched)


def too_many(bucket: Bucket, wait_seconds: float) -> ProblemResponse:
    """The answer to who asks too often."""
    seconds = max(1, math.ceil(wait_seconds))
    return problem_response(
        429,
        "too_many_requests",
        f"too many {bucket}; ask again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )
