from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator

import pytest

from recipes.redaction import CROSSED_OUT, RedactionFilter, redact

SECRET = "Zq7canary91xyz"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"[(b'authorization', b'Bearer {SECRET}'), (b'host', b'a')]",
        f"Cookie: sevenstep_session_q3w8zz0a={SECRET}; theme=dark",
        f"set-cookie: sevenstep_session_q3w8zz0a={SECRET}; HttpOnly",
        f"sevenstep_session_q3w8zz0a={SECRET}",
        f"/login?code=svsl_{SECRET}&next=/studies",
        f"svs_{SECRET}",
        f"the token svs_{SECRET}, svss_{SECRET} and svsa_{SECRET} are known",
        f"postgresql://user:{SECRET}@host/name",
        f"postgresql+psycopg://user:p@{SECRET}/x@host:5432/name",
        f"could not connect to 'postgresql://u:{SECRET}@h/n'",
        f"redis://:{SECRET}@host",
        f"SEVENSTEP_TOKEN={SECRET}",
        f"environ({{'SEVENSTEP_DATABASE_PASSWORD': '{SECRET}', 'HOME': '/root'}})",
        f"PGPASSWORD={SECRET} psql",
        f'{{"password": "{SECRET}", "name": "a"}}',
        f'{{"api_key":"{SECRET}"}}',
        f"aws_secret_access_key = {SECRET}",
        f"AWS_ACCESS_KEY_ID='{SECRET}'",
        f"password: {SECRET}",
        f"--token={SECRET}",
        f"password='it\\'s {SECRET}'",
    ],
)
def test_a_secret_is_crossed_out(text: str) -> None:
    assert SECRET not in redact(text)
    assert CROSSED_OUT in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "the token is not known, was revoked or has expired",
        "token: none given for http://host:8080; set SEVENSTEP_TOKEN or pass --token",
        "num_tokens=5000, tokens: 12, max_tokens=4096",
        "study q3w8zz0a1b2c3d4e attempt 0123456789abcdef: begins (train, digits)",
        "GET http://127.0.0.1:8080/api/v1/studies answered 200",
        "postgresql://host/name",
        "a secretary wrote to bob@example.com",
        "svs_...",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece", ["password", "a:/", "x://a:", "_token", "svs_", "'\\", "bearer "]
)
def test_long_texts_take_linear_time(piece: str) -> None:
    began = time.process_time()
    redact(piece * (400_000 // len(piece)))
    assert time.process_time() - began < 5.0


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactionFilter())
    handler.setFormatter(logging.Formatter("%(message)s %(study)s", defaults={"study": ""}))
    logger = logging.getLogger("tests.redaction")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_the_filter_sees_arguments_tracebacks_and_fields(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = log
    logger.error("url %s of %d", f"postgresql://u:{SECRET}@h/n", 3)
    try:
        raise ValueError(f"password={SECRET}")
    except ValueError:
        logger.exception("it failed", stack_info=True)
    logger.error("fields", extra={"study": f"svs_{SECRET}"})
    written = stream.getvalue()
    assert SECRET not in written
    assert "password=[redacted]" in written
    assert "fields [redacted]" in written
    assert "of 3" in written
    assert "ValueError" in written


def test_a_record_that_cannot_be_formatted_is_redacted_too(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = log
    logger.error("%d", f"token='{SECRET}'")
    assert SECRET not in stream.getvalue()
    assert "ValueError" in stream.getvalue() or "TypeError" in stream.getvalue()
