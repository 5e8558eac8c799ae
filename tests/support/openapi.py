"""An OpenAPI document as a yardstick: which operation a request was for, and whether a value is what it says."""

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
# Those that the document uses; another one fails the check instead of being passed over.
_ANNOTATIONS = {"title", "description", "default", "examples"}
_KEYWORDS = {
    *("$ref", "type", "enum", "const", "anyOf", "oneOf", "properties", "required", "additionalProperties", "items"),
    *("minimum", "maximum", "minLength", "maxLength", "format"),
}


class Document:
    def __init__(self, document: Json) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Method, path template, operation."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def operation(self, method: str, path: str) -> Json | None:
        """The one that answers such a request; None if there is none."""
        path = path.removesuffix("/")
        for candidate, template, operation in self.operations():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if candidate == ("GET" if method == "HEAD" else method) and re.fullmatch(pattern, path):
                return operation
        return None

    def codes(self) -> set[tuple[str, str]]:
        """Every problem code that the document gives, with its operation."""
        return {
            (operation["operationId"], code)
            for _, _, operation in self.operations()
            for response in operation["responses"].values()
            if "application/problem+json" in response.get("content", {})
            for code in response["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
        }

    def faults(self, value: object, schema: Json, at: str = "") -> list[str]:
        """Where `value` is not what `schema` says. Members that it does not name are faults too."""
        assert schema.keys() <= _KEYWORDS | _ANNOTATIONS, f"the check does not know all of {sorted(schema)}"
        found = []
        if "$ref" in schema:
            found += self.faults(value, self._resolved(schema["$ref"]), at)
        if "type" in schema and not _is(value, schema["type"]):
            return [f"{at}: {value!r} is no {schema['type']}"]
        if "const" in schema and value != schema["const"]:
            found.append(f"{at}: {value!r} is not {schema['const']!r}")
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at}: {value!r} is not among {schema['enum']}")
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema and all(self.faults(value, each, at) for each in schema[keyword]):
                found.append(f"{at}: {value!r} is none of {schema[keyword]}")
        if isinstance(value, dict):
            found += self._faults_of_members(value, schema, at)
        if isinstance(value, list) and "items" in schema:
            found += [
                fault
                for index, each in enumerate(value)
                for fault in self.faults(each, schema["items"], f"{at}/{index}")
            ]
        if isinstance(value, str):
            found += _faults_of_text(value, schema, at)
        if isinstance(value, int | float) and not (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
        ):
            found.append(f"{at}: {value} is out of range")
        return found

    def _faults_of_members(self, value: Json, schema: Json, at: str) -> list[str]:
        properties = schema.get("properties", {})
        found = [f"{at}/{name} is missing" for name in schema.get("required", ()) if name not in value]
        if properties and "$ref" not in schema and not schema.get("additionalProperties"):
            found += [f"{at}/{name} is not documented" for name in value.keys() - properties.keys()]
        for name in value.keys() & properties.keys():
            found += self.faults(value[name], properties[name], f"{at}/{name}")
        return found

    def _resolved(self, reference: str) -> Json:
        schema: Json = self.document["components"]["schemas"][reference.rpartition("/")[2]]
        return schema


def _is(value: object, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _faults_of_text(value: str, schema: Json, at: str) -> list[str]:
    found = []
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        found.append(f"{at}: {len(value)} characters")
    if schema.get("format") == "date-time" and not _UTC.fullmatch(value):
        found.append(f"{at}: {value!r} is no time in UTC with microseconds")
    return found
