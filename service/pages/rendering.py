"""From a template and data to a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from recipes.step import Figure
from service.pages import assets, charts, format, sentences
from service.views import TrialSummary

FOLDER = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates, with everything escaped that is not said to be markup."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(
        ago=format.ago,
        asset=assets.address,
        between=format.between,
        duration=format.duration,
        distribution=sentences.distribution,
        draw=_draw,
        fact=_fact,
        last_evaluation=_last_evaluation,
        mark=format.mark,
        moment=format.moment,
        number=format.number,
        percent=_percent,
        plain=_plain,
        plural=format.plural,
        words=format.words,
        worker_sentence=sentences.worker_sentence,
        root="",
        section=None,
        signed_in=True,
    )
    return made


def render(request: Request, template: str, /, *, status: int = 200, **data: Any) -> HTMLResponse:
    """A page.

    Args:
        request: What is answered: gives the address people reach the service by.
        template: Its file name.
        status: The HTTP status.
        **data: What the template shows.
    """
    root = request.scope.get("root_path", "").rstrip("/")
    for key in ("base", "base_api"):
        if key in data:
            data[key] = root + data[key]
    origin = f"{request.url.scheme}://{request.url.netloc}{root}"
    page = environment().get_template(template).render(root=root, origin=origin, **data)
    return HTMLResponse(page, status_code=status)


def _draw(figure: Figure, identifier: str, narrow: bool = False) -> Markup:
    size = charts.NARROW if narrow else charts.WIDE
    # draw() escapes every text it is given.
    return Markup(charts.draw(figure, size=size, identifier=identifier))


def _fact(value: object) -> str:
    """A piece of evidence. Digests show their beginning: nobody reads the rest."""
    if isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"):
        return f"{value[:12]}…"
    return format.number(value)


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)) and any(isinstance(i, (list, dict)) for i in value):
        return f"a list of {len(value)}, in report.json"
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return f"{', '.join(value)}, in report.json"
    return format.number(value)


def _last_evaluation(trial: TrialSummary) -> str:
    if not trial.evaluations:
        return format.MISSING
    last = trial.evaluations[-1]
    name = "accuracy" if "accuracy" in last.metrics else "loss"
    if name not in last.metrics:
        return format.MISSING
    metric = last.metrics[name]
    value, error = format.number(metric.mean), format.number(metric.standard_error, 2)
    return f"{last.split} {name} {value} ± {error}"
