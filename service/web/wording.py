"""What is wrong with a request, in words for a person: the library's are for a programmer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SENTENCES: Mapping[str, str] = {
    "missing": "it is required; send it",
    "extra_forbidden": "it is not permitted here; leave it out, or mend its spelling",
    "greater_than": "give a number greater than {gt}",
    "greater_than_equal": "give a number greater than or equal to {ge}",
    "less_than": "give a number less than {lt}",
    "less_than_equal": "give a number less than or equal to {le}",
    "finite_number": "give a finite number",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "int_parsing_size": "give a whole number of fewer digits",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "string_type": "give text in quotes",
    "string_too_short": "give at least {min_length} characters",
    "string_too_long": "give at most {max_length} characters",
    "too_short": "give at least {min_length} of them",
    "too_long": "give at most {max_length} of them",
    "dict_type": "give a JSON object: {{...}}",
    "model_type": "give a JSON object: {{...}}",
    "model_attributes_type": "give a JSON object: {{...}}",
    "list_type": "give a JSON list: [...]",
    "tuple_type": "give a JSON list: [...]",
    "literal_error": "give one of {expected}",
    "enum": "give one of {expected}",
    "union_tag_not_found": 'say of which kind it is: {{"kind": ...}}, float, int or categorical',
    "union_tag_invalid": "{discriminator} is one of {expected_tags}",
}
"""Sentences by the library's error types; their gaps are filled from the error's context."""

BODY = "send one JSON object, with the header Content-Type: application/json"
HEADERS = {
    "if-match": 'give the version that you saw in quotes, as in "12"',
    "x-content-sha256": "send 64 hexadecimal digits",
}
"""What a header is to hold that does not fit, by its name."""
CONFIRM = "send the study's name, so that the right one is meant: ?confirm=<name>"
IDENTIFIER = "an id holds letters, digits, - and _ alone, 64 at most"


def message_of(found: Mapping[str, Any]) -> str:
    """What is wrong with a field, and what to give instead. Never repeats what was sent.

    Args:
        found: One error as pydantic tells it: ``loc``, ``type``, ``msg``, ``ctx``.
    """
    kind = str(found["type"])
    if kind == "string_pattern_mismatch" and found["loc"][0] == "path":
        return IDENTIFIER
    if found["loc"] == ("body",):
        return BODY
    if kind == "string_pattern_mismatch" and found["loc"][0] == "header":
        return HEADERS[found["loc"][1]]
    if kind == "missing" and found["loc"] == ("query", "confirm"):
        return CONFIRM
    sentence = SENTENCES.get(kind)
    if sentence is None:
        return str(found["msg"]).removeprefix("Value error, ")
    return sentence.format_map(found.get("ctx", {}))


def field_of(found: Mapping[str, Any]) -> str:
    """The field's name as it was sent: ``space.lr``, without where it was looked for."""
    parts = [str(part) for part in found["loc"][1:]]
    return ".".join(parts) or str(found["loc"][0])
