"""What the comparison of two OpenAPI documents takes for breaking, and what not."""

import copy
from typing import Any

import pytest

from tests.support.breaking_changes import breaking_changes

Json = dict[str, Any]

PROBLEMS: Json = {
    "content": {
        "application/problem+json": {
            "schema": {
                "allOf": [
                    {"$ref": "#/components/schemas/Problem"},
                    {"type": "object", "properties": {"code": {"enum": ["not_found", "gone"]}}},
                ]
            }
        }
    }
}
THING: Json = {
    "type": "object",
    "required": ["id", "kind"],
    "properties": {
        "id": {"type": "integer", "format": "int64", "minimum": 1},
        "kind": {"type": "string", "enum": ["box", "chest"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "inside": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
    },
}
NEW_THING: Json = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"type": "string", "enum": ["box", "chest"]},
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "to": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "tags": {"type": "array", "maxItems": 5, "items": {"type": "string"}},
    },
}
THING_BY_ID: Json = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
DOCUMENT: Json = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "create_thing",
                "security": [{"OAuth2": []}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}},
                        "text/csv": {"schema": {"type": "string"}},
                    },
                },
                "responses": {
                    "201": {"headers": {"ETag": {}}, "content": THING_BY_ID},
                    "404": PROBLEMS,
                },
            }
        },
        "/things/{id}": {
            "get": {
                "operationId": "get_thing",
                "security": [],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "maximum": 9}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 50}},
                ],
                "responses": {"200": {"content": THING_BY_ID}},
            }
        },
    },
    "components": {
        "schemas": {
            "Thing": THING,
            "NewThing": NEW_THING,
            "Problem": {"type": "object", "properties": {"code": {"type": "string"}}},
        }
    },
}
POST, GET = "paths /things post", "paths /things/{id} get"
SENT, READ = "components schemas NewThing", "components schemas Thing"
CODES = f"{POST} responses 404 content application/problem+json schema allOf 1 properties code enum"
GONE = object()


def changed(where: str, value: object) -> Json:
    """The document with another value there, or without what is there."""
    document: Any = copy.deepcopy(DOCUMENT)
    *path, last = where.split()
    place = document
    for part in path:
        place = place[int(part) if isinstance(place, list) else part]
    key: Any = int(last) if isinstance(place, list) else last
    if value is GONE:
        del place[key]
    elif isinstance(place, list) and key == len(place):
        place.append(value)
    else:
        place[key] = value
    return dict(document)


BREAKING = [
    ("paths /things", GONE, "POST /things: is gone"),
    (GET, GONE, "GET /things/{id}: is gone"),
    (f"{GET} operationId", "show_thing", "GET /things/{id}: is no longer called get_thing"),
    (f"{GET} security", [{"OAuth2": []}], "GET /things/{id}: asks for more than nobody"),
    (f"{GET} parameters 1", GONE, "GET /things/{id}: query parameter limit: is gone"),
    (f"{GET} parameters 1 required", True, "GET /things/{id}: query parameter limit: has become required"),
    (
        f"{GET} parameters 1 schema default",
        20,
        "GET /things/{id}: query parameter limit: is 20 by default instead of 50",
    ),
    (f"{GET} parameters 0 schema maximum", 8, "GET /things/{id}: path parameter id: maximum is 8 instead of 9"),
    (f"{GET} parameters 1 schema minimum", 1, "GET /things/{id}: query parameter limit: minimum is 1 instead of None"),
    (
        f"{GET} parameters 2",
        {"name": "q", "in": "query", "required": True, "schema": {}},
        "GET /things/{id}: query parameter q: is new and required",
    ),
    (f"{GET} requestBody", {"required": True, "content": {}}, "GET /things/{id}: a body has become required"),
    (f"{POST} requestBody", GONE, "POST /things: takes no body any more"),
    (f"{POST} requestBody content text/csv", GONE, "POST /things: does not take text/csv any more"),
    (f"{POST} responses 201", GONE, "POST /things: 201: is gone"),
    (f"{POST} responses 202", {}, "POST /things: 202: is new"),
    (f"{POST} responses 201 headers", {}, "POST /things: 201: has no header ETag any more"),
    (f"{POST} responses 201 content", {}, "POST /things: 201: is not given as application/json any more"),
    (f"{CODES} 1", GONE, "POST /things: 404: has no gone any more"),
    (f"{SENT} required", ["kind", "name"], "POST /things/name: has become required"),
    (f"{SENT} properties name", GONE, "POST /things/name: is gone"),
    (f"{SENT} properties name type", "integer", "POST /things/name: is integer instead of string"),
    (f"{SENT} properties name maxLength", 100, "POST /things/name: maxLength is 100 instead of 200"),
    (f"{SENT} properties name minLength", 2, "POST /things/name: minLength is 2 instead of 1"),
    (f"{SENT} properties name pattern", "^x", "POST /things/name: has another pattern"),
    (f"{SENT} properties name format", "email", "POST /things/name: has the format email instead of None"),
    (f"{SENT} properties name enum", ["a"], "POST /things/name: is only a"),
    (f"{SENT} properties kind enum", ["box"], "POST /things/kind: takes chest no more"),
    (f"{SENT} properties tags maxItems", 4, "POST /things/tags: maxItems is 4 instead of 5"),
    (f"{SENT} properties tags items maxLength", 4, "POST /things/tags/*: maxLength is 4 instead of None"),
    (f"{SENT} properties to anyOf 1", GONE, "POST /things/to: takes integer no more"),
    (f"{READ} properties note", GONE, "GET /things/{id}: 200/note: is gone"),
    (f"{READ} required", ["id"], "GET /things/{id}: 200/kind: may be absent now"),
    (f"{READ} properties id type", "string", "GET /things/{id}: 200/id: is string instead of integer"),
    (f"{READ} properties id type", "number", "GET /things/{id}: 200/id: is integer or number instead of integer"),
    (f"{READ} properties id minimum", 0, "GET /things/{id}: 200/id: minimum is 0 instead of 1"),
    (f"{READ} properties kind enum", ["box", "chest", "bag"], "GET /things/{id}: 200/kind: may be bag now"),
    (f"{READ} properties kind enum", GONE, "GET /things/{id}: 200/kind: is no longer only box or chest"),
    (f"{READ} properties note anyOf 2", {"type": "object"}, "GET /things/{id}: 200/note: may be object now"),
    (f"{READ} properties inside items", {"type": "null"}, "GET /things/{id}: 200/inside/*: is null instead of object"),
]  # fmt: skip

HARMLESS = [
    ("paths /others", {"get": {"operationId": "list_others", "responses": {}}}),
    (f"{POST} security", []),
    (f"{POST} deprecated", True),
    (f"{GET} summary", "Other words"),
    (f"{GET} parameters 2", {"name": "q", "in": "query", "schema": {}}),
    (f"{GET} parameters 0 schema maximum", 10),
    (f"{GET} responses 304", {}),
    (f"{GET} responses 503", PROBLEMS),
    (f"{CODES} 2", "lost"),
    (f"{POST} requestBody required", False),
    (f"{POST} requestBody content application/xml", {}),
    (f"{POST} responses 201 headers Location", {}),
    (f"{SENT} required", []),
    (f"{SENT} additionalProperties", True),
    (f"{SENT} properties note", {"type": "string"}),
    (f"{SENT} properties name maxLength", GONE),
    (f"{SENT} properties kind enum", ["box", "chest", "bag"]),
    (f"{SENT} properties to anyOf 2", {"type": "null"}),
    (f"{SENT} properties name", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    (f"{READ} required", ["id", "kind", "note"]),
    (f"{READ} properties weight", {"type": "number"}),
    (f"{READ} properties id minimum", 2),
    (f"{READ} properties kind enum", ["box"]),
    (f"{READ} properties kind maxLength", 5),
    (f"{READ} properties note", {"type": "string"}),
]


@pytest.mark.parametrize(("where", "value", "told"), BREAKING)
def test_what_a_client_would_trip_over_is_told(where: str, value: object, told: str) -> None:
    assert told in breaking_changes(DOCUMENT, changed(where, value))


@pytest.mark.parametrize(("where", "value"), HARMLESS)
def test_what_a_client_never_notices_is_passed_over(where: str, value: object) -> None:
    assert breaking_changes(DOCUMENT, changed(where, value)) == []


def test_a_document_breaks_nothing_of_its_own() -> None:
    assert breaking_changes(DOCUMENT, DOCUMENT) == []
