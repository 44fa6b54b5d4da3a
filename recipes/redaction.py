"""Secrets never reach a log: what looks like one is crossed out before it is written.

This is the last line of defence. Nothing logs a secret on purpose; an exception's message,
a library's debug line or a task's own output may hold one all the same.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

CROSSED_OUT = "[redacted]"
"""What stands where a secret stood."""

TOKEN = re.compile(r"\bsvs[asl]?_[A-Za-z0-9_-]{6,}")
"""Our own: tokens, browsers' sessions, attempts' tokens, sign-in codes (``service``)."""

AUTHORIZATION = re.compile(r"""(?i)\b(bearer|basic)(\s+)(?!\[)[^\s"',;\\]{6,}""")
"""RFC 9110, 11.4: the scheme stays, the credentials go."""

HEADER = re.compile(
    r"""(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['"]?\s*[:,=]\s*)"""
    r"""(?!\[redacted)(b?"[^"\n]{1,8000}"|b?'[^'\n]{1,8000}'|[^\s"'][^\n"']{0,8000})"""
)
"""A header with what follows it, to the end of the line or of its quotes."""

USER_INFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)[^\s:\"'<>]{0,256}:[^\s\"'<>]{1,256}@")
"""RFC 3986, 3.2.1: ``scheme://user:password@host``; to the last @, as passwords hold them."""

_SURE = (
    r"[a-z0-9_.-]{0,64}?(?:password|passwd|passphrase|secret|credentials?|api[_-]?key"
    r"|access[_-]?key(?:[_-]?id)?|private[_-]?key)|sevenstep_session(?:_[a-z0-9]{1,64})?"
)
_TOKEN = r"(?:[a-z0-9_.-]{0,64}?[_.-])?token"
_QUOTED = r"""b?"(?:[^"\\\n]|\\.){1,4000}"|b?'(?:[^'\\\n]|\\.){1,4000}'"""
_BARE = r"""[^\s,;&'"<>\])}]{4,4000}"""
NAMED = tuple(
    re.compile(
        rf"""(?i)(?<![a-z0-9_.-])(['"]?(?:{names})['"]?)(\s*{sign}\s*)(?!\[redacted)({value})"""
    )
    for names, sign, value in (
        (f"{_SURE}|{_TOKEN}", "[=:]", _QUOTED),
        (f"{_SURE}|{_TOKEN}", "=", _BARE),
        (_SURE, ":", _BARE),  # "token: none given" is a sentence, "password: x" hardly ever
    )
)
"""A name that says what it holds, with its value, as environments, JSON and Python's ``repr``
write them. Below four characters it is no secret; a bare number is a count."""

_NUMBER = re.compile(r"[\d.]+")


def redact(text: str) -> str:
    """The text with everything crossed out that looks like a secret.

    Args:
        text: Of any length; the work grows linearly with it.
    """
    text = TOKEN.sub(CROSSED_OUT, text)
    text = HEADER.sub(rf"\1\2{CROSSED_OUT}", text)
    text = AUTHORIZATION.sub(rf"\1\2{CROSSED_OUT}", text)
    text = USER_INFO.sub(rf"\1{CROSSED_OUT}@", text)
    for pattern in NAMED:
        text = pattern.sub(_crossed_out, text)
    return text


def _crossed_out(match: re.Match[str]) -> str:
    name, sign, value = match.groups()
    return match[0] if _NUMBER.fullmatch(value) else f"{name}{sign}{CROSSED_OUT}"


class RedactionFilter(logging.Filter):
    """Crosses secrets out of whole records: message, traceback, stack and extra fields.

    It belongs on a handler, after every filter that adds fields: a logger's filters do not
    see what its children log.
    """

    def __init__(self, redact: Callable[[str], str] = redact) -> None:
        super().__init__()
        self._redact = redact
        self._formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it always passes."""
        try:
            message = record.getMessage()
        except Exception as error:  # a call whose arguments do not fit its text: say so, redacted
            message = f"{record.msg!r} % {record.args!r} ({type(error).__name__}: {error})"
        record.msg, record.args = self._redact(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redact(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redact(record.stack_info)
        for name, value in vars(record).items():
            if isinstance(value, str) and name not in ("msg", "exc_text", "stack_info"):
                setattr(record, name, self._redact(value))
        return True
