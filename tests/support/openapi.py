"""An OpenAPI document as a yardstick: which operation a request was for, and whether a value is what it says."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

Json = dict[str, Any]

PROBLEM = "application/problem+json"

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
_ANNOTATIONS = {"title", "description", "default", "examples", "discriminator"}
_KEYWORDS = {
    *("type", "enum", "const", "anyOf", "oneOf", "properties", "required", "additionalProperties", "items"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format"),
}


class Document:
    def __init__(self, document: Json) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Method, path template, and the operation with its parameters in full."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                parameters = [self.resolved(each) for each in operation.get("parameters", ())]
                yield method.upper(), path, {**operation, "parameters": parameters}

    def operation(self, method: str, path: str) -> Json | None:
        """The one that answers such a request; None if there is none."""
        path = path.removesuffix("/")
        for candidate, pattern, operation in self._patterns:
            if candidate == ("GET" if method == "HEAD" else method) and pattern.fullmatch(path):
                return operation
        return None

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str], Json]]:
        return [
            (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", template)), operation)
            for method, template, operation in self.operations()
        ]

    def codes(self) -> set[tuple[str, str]]:
        """Every problem code that the document gives, with its operation."""
        return {
            (operation["operationId"], code)
            for _, _, operation in self.operations()
            for response in operation["responses"].values()
            for code in self.codes_of(response)
        }

    def codes_of(self, response: Json) -> list[str]:
        """Of one documented answer; empty for a success."""
        content = response.get("content", {}).get(PROBLEM)
        return [] if content is None else self.whole(content["schema"])["properties"]["code"]["enum"]

    def faults(self, value: object, schema: Json, at: str = "") -> list[str]:
        """Where `value` is not what `schema` says. Members that it does not name are faults too."""
        schema = self.whole(schema)
        assert schema.keys() <= _KEYWORDS | _ANNOTATIONS, f"the check does not know all of {sorted(schema)}"
        found = []
        if "type" in schema and not _is(value, schema["type"]):
            return [f"{at}: {value!r} is no {schema['type']}"]
        if "const" in schema and value != schema["const"]:
            found.append(f"{at}: {value!r} is not {schema['const']!r}")
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at}: {value!r} is not among {schema['enum']}")
        found += [
            f"{at}: {value!r} is none of {schema[keyword]}"
            for keyword in ("anyOf", "oneOf")
            if keyword in schema and all(self.faults(value, each, at) for each in schema[keyword])
        ]
        if isinstance(value, dict):
            found += self._faults_of_members(value, schema, at)
        if isinstance(value, list):
            found += self._faults_of_elements(value, schema, at)
        if isinstance(value, str):
            found += _faults_of_text(value, schema, at)
        if isinstance(value, int | float) and not (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
        ):
            found.append(f"{at}: {value} is out of range")
        return found

    def _faults_of_elements(self, value: list[Any], schema: Json, at: str) -> list[str]:
        has_wrong_length = not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        found = [f"{at}: {len(value)} elements"] if has_wrong_length else []
        for index, each in enumerate(value):
            found += self.faults(each, schema.get("items", {}), f"{at}/{index}")
        return found

    def _faults_of_members(self, value: Json, schema: Json, at: str) -> list[str]:
        properties = schema.get("properties", {})
        found = [f"{at}/{name} is missing" for name in schema.get("required", ()) if name not in value]
        if properties and not schema.get("additionalProperties"):
            found += [f"{at}/{name} is not documented" for name in value.keys() - properties.keys()]
        for name in value.keys() & properties.keys():
            found += self.faults(value[name], properties[name], f"{at}/{name}")
        return found

    def resolved(self, thing: Json) -> Json:
        """What a reference refers to; anything else as it is."""
        if "$ref" not in thing:
            return thing
        found = self.document
        for part in thing["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def whole(self, schema: Json) -> Json:
        """Without a reference on its surface, and with all of `allOf` in one."""
        schema = self.resolved(schema)
        whole = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
        for part in schema.get("allOf", ()):
            for keyword, value in self.whole(part).items():
                whole[keyword] = _both(keyword, whole[keyword], value) if keyword in whole else value
        return whole


def example_of(parameter: Json) -> Any:
    """Where it may be left out, it stands in the schema."""
    return parameter["example"] if "example" in parameter else parameter["schema"]["examples"][0]


def _both(keyword: str, one: Any, other: Any) -> Any:
    if keyword == "required":
        return sorted({*one, *other})
    if keyword == "properties":
        return {name: {**one.get(name, {}), **other.get(name, {})} for name in {**one, **other}}
    return other


def _is(value: object, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _faults_of_text(value: str, schema: Json, at: str) -> list[str]:
    found = []
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        found.append(f"{at}: {len(value)} characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    if schema.get("format") == "date-time" and not _UTC.fullmatch(value):
        found.append(f"{at}: {value!r} is no time in UTC with microseconds")
    return found
