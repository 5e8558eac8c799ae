"""Links of the OpenAPI document (https://spec.openapis.org/oas/v3.1.0#link-object), followed as its reader would."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2

from tests.support.openapi import Document, Json, example_of

from .example_scene import Example, Scene


def links_of(document: Document, operation_id: str) -> Iterator[tuple[str, Json]]:
    for _, _, operation in document.operations():
        if operation["operationId"] == operation_id:
            for response in operation["responses"].values():
                yield from response.get("links", {}).items()


def next_request(scene: Scene, link: Json, sent: Example, answer: httpx2.Response) -> Example:
    """What the link says, and the first example of the body where it says nothing of that."""
    following = scene.examples_of(link["operationId"])[0]
    given = {name: _evaluated(text, sent, answer) for name, text in link.get("parameters", {}).items()}
    places = {each["name"]: each["in"] for each in following.operation["parameters"]}
    assert given.keys() <= places.keys(), f"{link['operationId']} has no such parameter"
    template = next(path for _, path, each in scene.document.operations() if each == following.operation)
    path = re.sub(r"\{(\w+)\}", lambda match: str(given[match[1]]), template)
    query = {name: value for name, value in given.items() if places[name] == "query" and value is not None}
    body = {name: _evaluated(text, sent, answer) for name, text in link.get("requestBody", {}).items()}
    return replace(following, path=path, query={**following.query, **query}, body=body or following.body)


def _evaluated(text: str, sent: Example, answer: httpx2.Response) -> Any:
    """None for a parameter that was not sent."""
    if text.startswith("$request.query."):
        return sent.query.get(text.removeprefix("$request.query."))
    if text.startswith("$request.path."):
        return _values_of_path(sent)[text.removeprefix("$request.path.")]
    if not text.startswith("$response.body#"):
        return text
    value = answer.json()
    for part in text.removeprefix("$response.body#/").split("/"):
        value = value[int(part) if isinstance(value, list) else part]
    assert value is not None, f"{text} is null"
    return value


def _values_of_path(sent: Example) -> dict[str, Any]:
    return {each["name"]: example_of(each) for each in sent.operation["parameters"] if each["in"] == "path"}
