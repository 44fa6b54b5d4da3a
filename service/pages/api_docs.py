"""The REST interface as a page, made from the OpenAPI document: nothing is loaded from afar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
MODELS = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a model. ``model`` is the one its type refers to, if any."""

    name: str
    where: str  # path, query or header; empty for a model's field
    type: str
    model: str | None
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    name: str  # of the operation: its anchor
    summary: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: Field | None
    answers: tuple[Field, ...]  # by status


@dataclass(frozen=True, slots=True)
class Model:
    """The shape of a body or an answer."""

    name: str
    description: str
    fields: tuple[Field, ...]
    values: tuple[str, ...]  # of an enumeration


@dataclass(frozen=True, slots=True)
class ApiDocs:
    """Operations by resource, and the models they speak of."""

    groups: tuple[tuple[str, tuple[Operation, ...]], ...]
    models: tuple[Model, ...]


def api_docs(schema: Mapping[str, Any]) -> ApiDocs:
    """What the page shows of an OpenAPI 3 document."""
    groups: dict[str, list[Operation]] = {}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations:
                found = operations[method]
                group = (found.get("tags") or ["service"])[0]
                groups.setdefault(group, []).append(_operation(method, path, found))
    models = schema.get("components", {}).get("schemas", {})
    return ApiDocs(
        groups=tuple((name, tuple(found)) for name, found in groups.items()),
        models=tuple(_model(name, models[name]) for name in sorted(models)),
    )


def _operation(method: str, path: str, found: Mapping[str, Any]) -> Operation:
    paragraphs = [part.strip() for part in found.get("description", "").split("\n\n")]
    return Operation(
        method=method.upper(),
        path=path,
        name=found["operationId"],
        summary=found.get("summary", ""),
        paragraphs=tuple(part for part in paragraphs if part),
        parameters=tuple(map(_parameter, found.get("parameters", ()))),
        body=_body(found.get("requestBody")),
        answers=tuple(_answers(found["responses"])),
    )


def _parameter(found: Mapping[str, Any]) -> Field:
    type_, model = _type(found.get("schema", {}))
    return Field(
        name=found["name"],
        where=found["in"],
        type=type_,
        model=model,
        is_required=found.get("required", False),
        description=found.get("description", ""),
    )


def _body(found: Mapping[str, Any] | None) -> Field | None:
    if found is None:
        return None
    media, content = next(iter(found["content"].items()))
    type_, model = _type(content.get("schema", {}))
    return Field(media, "body", type_, model, found.get("required", False), "")


def _answers(found: Mapping[str, Any]) -> Iterator[Field]:
    for status, answer in sorted(found.items()):
        content: Mapping[str, Any] = next(iter(answer.get("content", {}).values()), {})
        type_, model = _type(content.get("schema", {}))
        yield Field(status, "", type_, model, False, answer.get("description", ""))


def _model(name: str, found: Mapping[str, Any]) -> Model:
    required = found.get("required", ())
    fields = []
    for field, schema in found.get("properties", {}).items():
        type_, model = _type(schema)
        said = schema.get("description", "")
        if "default" in schema and schema["default"] not in (None, {}, []):
            said = f"{said} Default: {schema['default']}.".strip()
        fields.append(Field(field, "", type_, model, field in required, said))
    description = found.get("description", "").partition("\n\n")[0]
    return Model(name, description, tuple(fields), tuple(map(str, found.get("enum", ()))))


def _type(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    """A type in words, and the model it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(MODELS)
        return name, name
    for union in ("anyOf", "oneOf"):
        if union in schema:
            parts = [_type(each) for each in schema[union]]
            model = next((model for _, model in parts if model is not None), None)
            return " or ".join(dict.fromkeys(text for text, _ in parts)), model
    if schema.get("type") == "array":
        inner, model = _type(schema.get("items", {}))
        return f"list of {inner or 'values'}", model
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        inner, model = _type(schema["additionalProperties"])
        return f"map of {inner or 'values'}", model
    if "const" in schema:
        return repr(schema["const"]), None
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"])), None
    return str(schema.get("type", "")), None
