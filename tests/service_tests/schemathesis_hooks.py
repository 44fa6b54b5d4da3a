"""What schemathesis must be told of the service: a claim waits for work, a test does not."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Have a claim answered at once, where the time that it would wait is one that may be."""
    body = case.body
    if case.operation.path.endswith("/claim") and isinstance(body, dict):
        waits = body.get("wait_seconds", 20)
        if isinstance(waits, (int, float)) and not isinstance(waits, bool) and 0 <= waits <= 60:
            case.body = {**body, "wait_seconds": 0}
