"""``Idempotency-Key``: a request that is sent again is answered again, and done once.

The answer is kept in the transaction of the change itself: either both are there or
neither. Errors are not kept, for they changed nothing: such a request is tried anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio.to_thread
from fastapi import Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.clock import utc_now
from service.database.models import KeptAnswer
from service.errors import InvalidInput, KeyInUse, KeyReused
from service.repositories import kept_answers
from service.web.context import Context

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY = re.compile(r"[\x21-\x7e]{1,255}")
"""Visible ASCII, as RFC 9110 lets every header carry it."""
NOT_KEPT = frozenset({"content-length", "date"})
"""Headers that are made anew for every answer."""


async def once(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Do what a request asks, unless it was done under its key: then answer as then.

    Raises:
        InvalidInput: The key cannot be one.
        KeyReused: Another request came with it.
        KeyInUse: A request with it is being worked on.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await handle(request)
    if KEY.fullmatch(key) is None:
        raise InvalidInput(HEADER, key[:40], "give 1 to 255 visible ASCII characters")
    context: Context = request.app.state.context
    owner: str = request.state.access.owner
    lifetime = timedelta(hours=context.settings.kept_answer_hours)
    digest = _digest(request, await request.body())
    in_use: set[tuple[str, str]] = request.app.state.keys_in_use
    if (owner, key) in in_use:
        raise KeyInUse

    def find() -> KeptAnswer | None:
        with context.database.read() as session:
            return kept_answers.find(session, owner, key, since=utc_now() - lifetime)

    def keep(session: Session, response: Response) -> None:
        now = utc_now()
        kept_answers.forget(session, now - lifetime)
        answer = _answer(response)
        answer.owner, answer.key, answer.request_sha256 = owner, key, digest
        answer.created_at = now
        try:
            kept_answers.add(session, answer)
        except IntegrityError as error:
            # Another process was faster: what this one did is undone with its transaction.
            raise KeyInUse from error

    in_use.add((owner, key))
    try:
        kept = await anyio.to_thread.run_sync(find)
        if kept is not None:
            return _again(kept, digest)
        response = await handle(request)
        if response.status_code < 300:
            await anyio.to_thread.run_sync(keep, request.state.write_session, response)
        return response
    finally:
        in_use.discard((owner, key))


def _again(kept: KeptAnswer, digest: str) -> Response:
    if kept.request_sha256 != digest:
        raise KeyReused
    headers = {**json.loads(kept.headers), REPLAYED: "true"}
    return Response(kept.body, status_code=kept.status, headers=headers)


def _answer(response: Response) -> KeptAnswer:
    headers = {name: value for name, value in response.headers.items() if name not in NOT_KEPT}
    return KeptAnswer(
        status=response.status_code,
        headers=json.dumps(headers),
        body=bytes(response.body).decode(),
    )


def _digest(request: Request, body: bytes) -> str:
    """Of what makes two requests the same one: method, address, condition and body."""
    condition = request.headers.get("if-match", "")
    parts = (request.method, request.url.path, request.url.query, condition)
    return hashlib.sha256("\0".join(parts).encode() + b"\0" + body).hexdigest()
