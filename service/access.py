"""Who is asking, and what for: the scopes of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TokenScope(StrEnum):
    """What a token is good for; which route asks for which is in ``service.web.scopes``."""

    READ = "read"  # looking: every GET that a person has a use for
    WRITE = "write"  # and creating, steering and deleting studies
    ADMIN = "admin"  # everything, tokens too
    WORKER = "worker"  # registering workers and claiming attempts, nothing else
    ATTEMPT = "attempt"  # one attempt's own routes; made at its claim, no row of its own


@dataclass(frozen=True, slots=True)
class Access:
    """Who sent a request.

    Attributes:
        scope: What for. A browser's session has the scope of the token it was opened with.
        owner: The token's uid, the attempt's for an attempt's own.
        is_session: Whether it came as a browser's cookie.
    """

    scope: TokenScope
    owner: str
    is_session: bool = False
