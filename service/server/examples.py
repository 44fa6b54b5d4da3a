"""Examples in the OpenAPI document: requests and answers of a real study, cut short."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "examples.json"
"""By operation: ``request``, where it has a JSON body, and ``answer``, where that is JSON."""


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Every example, by operation."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return found


def add_examples(operation: dict[str, Any]) -> None:
    """Put an operation's examples where OpenAPI has them."""
    found = examples().get(operation["operationId"], {})
    if "request" in found:
        operation["requestBody"]["content"]["application/json"]["example"] = found["request"]
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if status.startswith("2") and "answer" in found and "application/json" in content:
            content["application/json"]["example"] = found["answer"]
