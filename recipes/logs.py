"""How the product's processes log: plain lines for people, or a JSON object a line.

What a line is about travels beside it: ``with about(study=..., attempt=...)`` around a piece
of work gives every line logged inside, however deep, those ids as fields of their own. A new
thread begins with none.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from recipes.redaction import RedactionFilter

FIELDS = ("study", "step", "trial", "attempt", "worker", "slot")
"""What a line can be about."""
ACCESS_FIELDS = ("method", "route", "status", "seconds")
"""What a line on a request tells besides, given as ``extra``."""
QUIETED = (
    *("uvicorn.error", "alembic.runtime.migration", "alembic.runtime.plugins"),
    *("httpx2", "httpcore", "httpcore2"),  # one line a request, headers below that
)
"""Libraries that tell more than anybody asked for below a warning."""

_about: ContextVar[dict[str, str | int]] = ContextVar("about", default={})  # noqa: B039  never changed


class LogFormat(StrEnum):
    """How lines are written."""

    PLAIN = "plain"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is worth a line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@contextmanager
def about(**fields: str | int | None) -> Iterator[None]:
    """Have lines that are logged meanwhile carry these fields, beside those around them.

    Args:
        fields: Of :data:`FIELDS`; None leaves one as it is.
    """
    assert fields.keys() <= set(FIELDS), fields
    given = {name: value for name, value in fields.items() if value is not None}
    token = _about.set({**_about.get(), **given})
    try:
        yield
    finally:
        _about.reset(token)


class AboutFilter(logging.Filter):
    """Writes the fields of :func:`about` onto each record; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields, where the line does not bring its own."""
        for name, value in _about.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class PlainFormatter(logging.Formatter):
    """One line for people: time, level, message, and what it is about in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line; an id that the message names already is not told twice."""
        line = super().formatMessage(record)
        message = record.getMessage()
        told = [f"{k}={v}" for k, v in _fields(record, FIELDS).items() if str(v) not in message]
        return f"{line} [{' '.join(told)}]" if told else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC, RFC 3339), level, logger, message, process, fields.

    A traceback is the field ``exception``, with its line breaks escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, without a line break in it."""
        at = datetime.fromtimestamp(record.created, UTC)
        content: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **_fields(record, (*FIELDS, *ACCESS_FIELDS)),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            content["exception"] = record.exc_text
        return json.dumps(content, ensure_ascii=False, default=str)


def set_up(
    *,
    level: LogLevel,
    format: LogFormat,
    stream: TextIO | None = None,
) -> logging.Handler:
    """Send this process's log to one place, in one form; what was set up before is replaced.

    Secrets are crossed out on the way, of every library's lines too.

    Args:
        level: The least that is logged.
        format: How.
        stream: Where to; standard error when left out.

    Returns:
        The handler.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format is LogFormat.JSON else PlainFormatter())
    # In this order: what is redacted is all that there is.
    handler.addFilter(AboutFilter())
    handler.addFilter(RedactionFilter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.name)
    for name in QUIETED:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return handler


def _fields(record: logging.LogRecord, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(record, name) for name in names if hasattr(record, name)}
