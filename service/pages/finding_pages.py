"""The pages on finding codes: what each means, how it is decided, what to do about it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response

from service.api.steps import SVG_POLICY
from service.pages.markdown import html
from service.pages.rendering import render
from service.views import finding_docs

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Code = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
PAGE = re.compile(r"(?P<code>[a-z0-9_]+)\.md(?P<part>#.*)?")
PICTURE = re.compile(rf"{finding_docs.PICTURES}/(?P<code>[a-z0-9_]+)\.svg")


@routes.get("/findings")
def findings_page(request: Request) -> Response:
    """Every code, with what it means."""
    found = [(code, finding_docs.meaning(code)) for code in finding_docs.codes()]
    return render(request, "findings.html", section="findings", codes=found)


@routes.get("/findings/{code}")
def finding_page(request: Request, code: Code) -> Response:
    """What one code means."""
    root = request.scope.get("root_path", "").rstrip("/")
    text = html(finding_docs.page(code), address=lambda target: address(target, root))
    return render(request, "finding.html", section="findings", code=code, text=text)


@routes.get("/findings/{code}/picture.svg")
def finding_picture(code: Code) -> Response:
    """The picture of a code's typical case."""
    headers = {"Content-Security-Policy": SVG_POLICY, "Cache-Control": "private, max-age=3600"}
    return Response(finding_docs.picture(code), media_type="image/svg+xml", headers=headers)


def address(target: str, root: str = "") -> str | None:
    """Where a link of a page leads on the service; None for what the service does not show."""
    if page := PAGE.fullmatch(target):
        return f"{root}/findings/{page['code']}{page['part'] or ''}"
    if picture := PICTURE.fullmatch(target):
        return f"{root}/findings/{picture['code']}/picture.svg"
    return target if target.startswith("https://") else None
