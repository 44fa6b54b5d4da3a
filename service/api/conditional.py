"""Conditional requests (RFC 9110, section 13): entity tags, and what is asked of them.

Every answer to a GET has an ``ETag`` that names its content; sent back in ``If-None-Match``
it saves sending the same again. Whoever changes a study may say in ``If-Match`` which
version of it he saw.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from service.api.dependencies import Identifier, WriteSession
from service.errors import ChangedSince
from service.repositories import studies

DIGITS = 32
"""Of a SHA-256 in hexadecimal: 128 bits, far beyond any chance of two contents alike."""
KEPT_HEADERS = ("etag", "cache-control", "content-location", "content-security-policy", "vary")
"""What a 304 repeats of the answer that it stands for (RFC 9110, section 15.4.5)."""

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*')


def tag_of(content: bytes) -> str:
    """The entity tag of a content."""
    return f'"{hashlib.sha256(content).hexdigest()[:DIGITS]}"'


def conditioned(request: Request, response: Response) -> Response:
    """The answer with its tag, or 304 without a body where the reader has it already."""
    is_stream = isinstance(response, (StreamingResponse, FileResponse))
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or is_stream:
        return response
    tag = response.headers.setdefault("etag", tag_of(bytes(response.body)))
    asked = ",".join(request.headers.getlist("if-none-match"))
    if asked.strip() != "*" and not any(_same(each, tag) for each in _split(asked)):
        return response
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return Response(status_code=304, headers=headers)


def _unchanged(
    study: Identifier,
    session: WriteSession,
    if_match: Annotated[
        str | None,
        Header(
            max_length=1000,
            # The spaces around the value are no part of it, and an empty one states nothing.
            pattern=r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)?$',
            description="The `version` of the study that you saw, in quotes: 412 when it is at"
            " another one by now",
        ),
    ] = None,
) -> None:
    """Refuse a change of a study that is not as its author saw it. Its row is held from here on.

    Tags are compared strongly, as If-Match asks for: a weak one never fits.
    """
    if if_match is None or if_match in ("", "*"):
        return
    tags = _split(if_match)
    version = studies.require(session, study, lock=True).version
    if f'"{version}"' not in [each.strip() for each in tags]:
        raise ChangedSince(version)


Unchanged = Depends(_unchanged)
"""For a route that changes ``{study}``: it heeds ``If-Match``, in the change's transaction."""


def _same(asked: str, tag: str) -> bool:
    """Whether two tags name the same content, weakly compared."""
    found = _TAG.fullmatch(asked)
    return found is not None and f'"{found[2]}"' == tag.removeprefix("W/")


def _split(header: str) -> list[str]:
    return [part for part in header.split(",") if part.strip()]
