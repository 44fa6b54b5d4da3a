"""Tokens that were made before the service was: handed to it, and to its workers, by file.

So whoever sets up many machines at once need not first start the service, ask it for a
token, and carry that to the workers.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.access import TokenScope
from service.repositories import tokens as repository
from service.settings import Settings
from service.use_cases import tokens


def enrol(session: Session, settings: Settings) -> str | None:
    """Make the tokens that the settings hold good ones; those they replace are revoked.

    Args:
        session: A write session.
        settings: ``admin_token`` and ``worker_token``.

    Returns:
        The admin's token, where one was given.

    Raises:
        InvalidInput: One is no token, or was revoked.
    """
    if settings.worker_token is not None:
        _enrol(session, settings.worker_token.get_secret_value(), TokenScope.WORKER)
    if settings.admin_token is None:
        return None
    secret = settings.admin_token.get_secret_value()
    _enrol(session, secret, TokenScope.ADMIN)
    return secret


def _enrol(session: Session, secret: str, scope: TokenScope) -> None:
    name = f"{scope.value}, pre-shared"
    earlier = repository.named(session, name, scope.value)
    tokens.enrol(session, secret, name=name, scope=scope)
    known = repository.find(session, tokens.digest(secret))
    assert known is not None
    for uid in earlier:
        if uid != known.uid:
            tokens.revoke(session, uid)
