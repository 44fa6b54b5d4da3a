"""From a template and data to a page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from recipes.step import Figure
from service.figures import charts
from service.figures.figure_table import figure_table
from service.pages import access, assets, sentences, trial_table
from service.pages.budget import budget_lines
from service.version import VERSION
from service.views import finding_docs, format, results
from service.views.models import TrialSummary
from service.views.shell import curl

MOST_SHOWN = 8
"""Most entries of something learned that a page writes out."""

CODES_IN = ("rules", "lacking")
"""Evidence that lists the codes of rules."""

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
        best_sentence=results.best_sentence,
        between=format.between,
        breakable=_breakable,
        budget_lines=budget_lines,
        duration=format.duration,
        coded=_coded,
        cost_sentence=sentences.cost_sentence,
        curl=curl,
        distribution=sentences.distribution,
        draw=_draw,
        estimate=format.estimate,
        fact=_fact,
        figure_table=figure_table,
        group_of=trial_table.group_of,
        has_page=_has_page,
        interval=results.interval,
        line_of=sentences.line_of,
        mark=format.mark,
        moment=format.moment,
        number=format.number,
        percent=_percent,
        plain=_plain,
        plural=format.plural,
        test_sentence=results.test_sentence,
        told=_told,
        trained=trial_table.trained,
        trial_value=_trial_value,
        words=format.words,
        worker_sentence=sentences.worker_sentence,
        root="",
        section=None,
        signed_in=True,
        version=VERSION,
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
    data.setdefault("may_write", access.may_write(request))
    data.setdefault("has_session", access.has_session(request))
    data |= {"root": root, "origin": origin, "status_code": status}
    page = environment().get_template(template).render(data)
    return HTMLResponse(page, status_code=status)


def about(study_id: str) -> dict[str, Any]:
    """What every page of a study needs: its own address, and that of its data."""
    return {
        "section": "studies",
        "base": f"/studies/{study_id}",
        "base_api": f"/api/v1/studies/{study_id}",
    }


def _has_page(code: str) -> bool:
    """Whether a finding's code has a page: those that rules of another release gave may not."""
    return code in finding_docs.codes()


def _coded(value: str) -> Markup:
    """A text with what stands between backticks as code."""
    parts = [escape(part) for part in re.split(r"`+", value)]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part
        for index, part in enumerate(parts)
    )


def _draw(figure: Figure, identifier: str, narrow: bool = False) -> Markup:
    size = charts.NARROW if narrow else charts.WIDE
    # draw() escapes every text it is given.
    return Markup(charts.draw(figure, size=size, identifier=identifier))


def _fact(value: object) -> str:
    """A piece of evidence. Digests show their beginning: nobody reads the rest."""
    if isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"):
        return f"{value[:12]}…"
    return format.number(value)


def _told(name: str, value: object) -> str:
    """A piece of a finding's evidence: rules that it lists as words, the rest as a fact."""
    if name in CODES_IN and isinstance(value, str):
        return format.words(value)
    return _fact(value)


def _breakable(name: str) -> Markup:
    """A name that may break after an underscore: the head of a narrow column."""
    return Markup("_<wbr>").join(name.split("_"))


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _plain(value: Any) -> str:
    """What a step learned, as people read it: ranges as ranges, long lists by their length."""
    if isinstance(value, (list, tuple, dict)) and not value:
        return "none"
    if isinstance(value, dict) and {"low", "high"} <= value.keys():
        ends = f"{format.number(value['low'], 3)} .. {format.number(value['high'], 3)}"
        return f"{ends}, log" if value.get("log") else ends
    if isinstance(value, dict) and "choices" in value:
        return _plain(value["choices"])
    if isinstance(value, (list, tuple)) and any(isinstance(i, (list, dict)) for i in value):
        return f"a list of {len(value)}, in report.json"
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        if len(value) <= MOST_SHOWN and all(_is_short(each) for each in value.values()):
            return "; ".join(f"{name} {_plain(each)}" for name, each in value.items())
        return f"{', '.join(value)}, in report.json"
    return format.number(value)


def _is_short(value: Any) -> bool:
    """Whether a learned value reads in a few words: a number, a word, a range."""
    if isinstance(value, dict):
        return {"low", "high"} <= value.keys() or "choices" in value
    return not isinstance(value, (list, tuple))


def _trial_value(trial: TrialSummary) -> str:
    """A trial's value with its error; else the last metric it was evaluated by."""
    if trial.value is not None:
        return format.estimate(trial.value, trial.standard_error)
    if trial.cause is not None and trial.cause.value in ("diverged", "non_finite"):
        return "diverged"
    if not trial.evaluations:
        return format.MISSING
    last = trial.evaluations[-1]
    name = "accuracy" if "accuracy" in last.metrics else "loss"
    if name not in last.metrics:
        return format.MISSING
    metric = last.metrics[name]
    return f"{last.split} {name} {format.estimate(metric.mean, metric.standard_error)}"
