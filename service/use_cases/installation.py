"""Which installation a database is: an id by which its files and its cookies are told apart.

It is a row among the tokens, so that older releases know the table, and a back-up and a move of
the database carry it along.
"""

from __future__ import annotations

from service.clock import utc_now
from service.database.engine import Database
from service.repositories import tokens as repository

NO_DIGEST = "installation"
"""Stands where a token has its SHA-256. No secret has this one: nobody is let in by the row."""
SCOPE = "installation"
"""It is no ``TokenScope`` either, so that no list of tokens shows the row."""


def installation_of(database: Database) -> str:
    """The database's installation: made when it is first asked for, the same ever after."""
    with database.read() as session:
        known = repository.find(session, NO_DIGEST)
    if known is None:
        with database.write() as session:
            # Of two processes that begin at once, the first one's row stays.
            repository.add_unless_known(
                session, name="this installation", digest=NO_DIGEST, scope=SCOPE, now=utc_now()
            )
            known = repository.find(session, NO_DIGEST)
    assert known is not None
    return known.uid
