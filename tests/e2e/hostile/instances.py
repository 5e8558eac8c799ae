"""Values that a schema of the OpenAPI document allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.openapi import Document, Json


@dataclass(frozen=True, slots=True)
class Known:
    """Values that make a request succeed, by name: what exists, and what the document does not describe closely."""

    parameters: Mapping[str, Any]
    members: Mapping[str, Any]


def instances(document: Document, schema: Json, known: Known, name: str) -> Iterator[Any]:
    """One value for each alternative of `schema`, with every member that it names."""
    if "$ref" in schema:
        yield from instances(document, document.resolved(schema), known, name)
    elif "oneOf" in schema or "anyOf" in schema:
        for each in schema.get("oneOf") or schema["anyOf"]:
            if each != {"type": "null"}:
                yield from instances(document, each, known, name)
    elif schema.get("type") == "object":
        yield from _objects(document, schema, known)
    elif schema.get("type") == "array":
        yield from ([each] for each in instances(document, schema["items"], known, name))
    elif name in known.members:
        yield known.members[name]
    elif "enum" in schema or "const" in schema:
        yield from schema.get("enum", [schema.get("const")])
    elif schema.get("format") == "int64":
        raise KeyError(name)
    else:
        yield {"string": "x" * schema.get("minLength", 1), "integer": schema.get("minimum", 1), "boolean": True}[
            schema["type"]
        ]


def _objects(document: Document, schema: Json, known: Known) -> Iterator[Any]:
    if "properties" not in schema:
        yield {"a": {"b": [1, "c"]}}
        return
    members = {name: list(instances(document, member, known, name)) for name, member in schema["properties"].items()}
    first = {name: values[0] for name, values in members.items()}
    yield first
    for name, values in members.items():
        yield from ({**first, name: value} for value in values[1:])
