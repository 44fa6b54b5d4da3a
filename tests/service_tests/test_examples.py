"""Every JSON request and answer in the OpenAPI document has an example, which fits its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.server.app import create_app
from service.server.examples import FILE, examples
from service.settings import Settings

JSON = "application/json"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).openapi()


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON body that is sent or answered with success: its name, and what is said of it."""
    for operations in document["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            content = operation.get("requestBody", {}).get("content", {})
            if JSON in content:
                yield f"{name} request", content[JSON]
            for status, answer in operation["responses"].items():
                if status.startswith("2") and JSON in answer.get("content", {}):
                    yield f"{name} answer", answer["content"][JSON]


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    found = dict(bodies(document))
    assert {"create_study request", "claim_attempt answer"} <= set(found)
    assert [name for name, body in found.items() if "example" not in body] == []


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    components = {"components": document["components"]}
    wrong = [
        f"{name} {error.json_path}: {error.message[:200]}"
        for name, body in bodies(document)
        for error in Draft202012Validator({**body["schema"], **components}).iter_errors(
            body["example"]
        )
    ]
    assert wrong == []


def test_no_example_is_of_a_route_that_is_gone(document: dict[str, Any]) -> None:
    names = {
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    }
    assert set(examples()) <= names


def test_examples_hold_no_path_of_a_machine() -> None:
    text = FILE.read_text()
    assert "/tmp/" not in text
    assert "/home/" not in text
