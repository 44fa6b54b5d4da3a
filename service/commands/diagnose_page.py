"""A diagnosis as one HTML file that needs nothing else: no script, no style sheet, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from recipes.training_logs.diagnosis import RunDiagnosis
from service.commands.diagnose_words import guessed
from service.figures.charts import draw
from service.pages.finding_pages import PAGE, PICTURE
from service.pages.markdown import html
from service.use_cases.diagnoses import Diagnosis
from service.views import finding_docs
from service.views.format import mark

STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--quiet:#5b6673;--ground:#fff;--line:#d5dbe3}
@media (prefers-color-scheme:dark){:root{--ink:#e8ecf2;--quiet:#a3adbb;--ground:#161b22;
--line:#333c48}}
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color:var(--ink);background:var(--ground)}
h1{font-size:1.5rem}h2{font-size:1.2rem;border-top:1px solid var(--line);padding-top:1rem}
.quiet{color:var(--quiet);font-size:.9rem}svg{max-width:100%;height:auto}
li{margin:.4rem 0}code{font-size:.95em}a{color:inherit}
blockquote{margin:.5rem 0;padding-left:1rem;border-left:3px solid var(--line)}
article img{max-width:100%;height:auto}article h3{font-size:1.05rem}
table{border-collapse:collapse}
th,td{padding:.3rem .6rem;border:1px solid var(--line);text-align:left}
.scroll{overflow-x:auto}
"""


def html_of(diagnosis: Diagnosis) -> str:
    """The whole page."""
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>Sevenstep: training logs, diagnosed</title><style>{STYLE}</style></head>",
            "<body><main><h1>Training logs, diagnosed</h1>",
            *(part for at, run in enumerate(diagnosis.runs) for part in _run(at, run)),
            *_refused(diagnosis),
            *_explained(diagnosis),
            "</main></body></html>\n",
        )
    )


def _run(at: int, run: RunDiagnosis) -> Iterator[str]:
    where = "" if run.name == run.source else f' <span class="quiet">{escape(run.source)}</span>'
    yield f"<section><h2>{escape(run.name)}{where}</h2><ul>"
    for finding in run.findings:
        sign = mark(finding.severity)
        yield (
            f"<li>{escape(sign.sign)} {escape(sign.word)} {_linked(finding.code)}: "
            f"{escape(finding.sentence)}"
        )
        if finding.causes:
            yield "<ul>"
            yield from (
                f"<li>{escape(cause.sentence)} ({cause.confidence:.0%})</li>"
                for cause in finding.causes
            )
            yield "</ul>"
        yield f"<p><strong>Next:</strong> {escape(finding.action)}</p></li>"
    yield "</ul>"
    for figure in run.figures:
        yield f"<p>{draw(figure, identifier=f'run{at}-{figure.name}', standalone=True)}</p>"
    yield "<details open><summary>What was guessed</summary><ul>"
    yield from (f"<li>{escape(sentence)}</li>" for sentence in guessed(run.inferred))
    yield "</ul></details><details><summary>What could not be checked</summary><ul>"
    for unchecked in run.unchecked:
        codes = ", ".join(f"<code>{escape(code)}</code>" for code in unchecked.codes)
        yield f"<li>{codes}: {escape(unchecked.why)}</li>"
    yield "</ul></details></section>"


def _refused(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.refused:
        return
    yield "<section><h2>Not read</h2><ul>"
    yield from (
        f"<li>{escape(each.source)} {escape(each.name if each.name != each.source else '')}: "
        f"{escape(each.why)}</li>"
        for each in diagnosis.refused
    )
    yield "</ul></section>"


def _linked(code: str) -> str:
    """A code, with the way to what it means further down."""
    text = f"<code>{escape(code)}</code>"
    return f'<a href="#about-{code}">{text}</a>' if code in finding_docs.codes() else text


def _explained(diagnosis: Diagnosis) -> Iterator[str]:
    """The page on each code that was found, pictures and all."""
    found = [finding.code for run in diagnosis.runs for finding in run.findings]
    codes = [code for code in dict.fromkeys(found) if code in finding_docs.codes()]
    if not codes:
        return
    yield "<section><h2>What the findings mean</h2>"
    for code in codes:
        text = html(finding_docs.page(code), address=lambda to: _inside(to, codes), below=2)
        yield f"<details><summary>{_words(code)}</summary>"
        yield f'<article id="about-{code}">{text}</article></details>'
    yield "</section>"


def _inside(target: str, codes: list[str]) -> str | None:
    """Where a link of a page leads in this file: to another page in it, or to a picture."""
    if (page := PAGE.fullmatch(target)) and page["code"] in codes:
        return f"#about-{page['code']}"
    if picture := PICTURE.fullmatch(target):
        content = base64.b64encode(finding_docs.picture(picture["code"])).decode()
        return f"data:image/svg+xml;base64,{content}"
    return None


def _words(code: str) -> str:
    return escape(code.replace("_", " "))
