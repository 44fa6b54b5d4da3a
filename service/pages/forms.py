"""What forms send: read, and known to come from a page of this service.

A browser's cookie alone is no sign that its person meant it: another page can make a
browser send a form here. Three things must hold: the cookie is ``SameSite=Strict``, the
request's origin is this service's own (see ``service.web.security``), and the form carries
a token that only a page shown to this session could hold.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar
from urllib.parse import parse_qs

from fastapi import Request

from service.errors import ServiceError
from service.web.security import session_cookie

FIELD = "form_token"
"""The hidden field with the token."""


class ForeignForm(ServiceError):
    """A form that no page of this session could have sent."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "foreign_form"
    title: ClassVar[str] = "The form is out of date"

    def __init__(self) -> None:
        super().__init__(
            "the form was not sent from a page of this session; open the page again and repeat"
        )


def form_token(request: Request) -> str:
    """What this session's forms carry: a keyed digest of its secret, never the secret.

    Empty for a request without a session: then nothing is accepted either.
    """
    secret = session_cookie(request.scope)
    return "" if secret is None else hmac.new(secret.encode(), b"form", sha256).hexdigest()


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form that was sent from a page of this session.

    Raises:
        ForeignForm: Its token is missing or another's.
    """
    body = (await request.body()).decode("utf-8", "replace")
    fields = {name: values[0] for name, values in parse_qs(body).items()}
    expected = form_token(request)
    if not expected or not hmac.compare_digest(fields.get(FIELD, "").encode(), expected.encode()):
        raise ForeignForm
    return fields
