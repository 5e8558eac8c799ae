"""The OpenAPI document: what FastAPI reads off the routes, completed by what is true of every operation."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema

from ..problems.problem_responses import MEDIA_TYPE
from ..problems.problem_types import TOKEN_PATH
from ..requests.authentication import SCHEME, security_of, sign_in_wanted
from ..requests.json_body import JSON, MERGE_PATCH
from ..schemas import ProblemOut
from . import examples
from .documentation import ANSWER_HEADERS, REQUEST_HEADERS, header_references, parameter_reference
from .links import links_between
from .problem_examples import ProblemExamples

_SIGN_IN = {
    "type": "oauth2",
    "description": "Sign in with a password; every later request carries the access token.",
    "flows": {"password": {"tokenUrl": TOKEN_PATH, "refreshUrl": TOKEN_PATH, "scopes": {}}},
}

Json = dict[str, Any]


def openapi_of(app: FastAPI) -> Json:
    """Made once for each application."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        _add_sign_in(document, app)
        _complete_operations(document)
        found = {**document["components"]["schemas"], **_schemas(_models_of(app))}
        document["components"]["schemas"] = dict(sorted(found.items()))
        app.openapi_schema = document
    return app.openapi_schema


def _add_sign_in(document: Json, app: FastAPI) -> None:
    """Also where a route that is not ours, or an inclusion, asks for the actor."""
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, APIRoute) or not route.include_in_schema:
            continue
        wanted = sign_in_wanted(route.original_route.endpoint, route.dependencies)
        if wanted is not None:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                operation.setdefault("security", security_of(wanted))


def _complete_operations(document: Json) -> None:
    problem_examples = ProblemExamples()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(method, operation)
            _complete_answers(operation)
            problem_examples.add_to(operation, instance=_example_of(path))
    links_between(document["paths"])
    document["components"] = {
        "schemas": document.get("components", {}).get("schemas", {}),
        "headers": {
            name: {"description": words, "schema": {"type": "string"}} for name, words in ANSWER_HEADERS.items()
        },
        "parameters": {name: {"name": name, "in": "header", **each} for name, each in REQUEST_HEADERS.items()},
        "examples": problem_examples.shared,
        "securitySchemes": {SCHEME: _SIGN_IN},
    }


def _models_of(app: FastAPI) -> set[type[BaseModel]]:
    """Of bodies and answers."""
    found: set[Any] = {ProblemOut}
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            found |= {answer["model"] for answer in route.responses.values() if "model" in answer}
            found |= {route.body_field.field_info.annotation} if route.body_field else set()
    return found


def _schemas(models: set[type[BaseModel]]) -> Json:
    """Straight from pydantic: the framework would make 2^63 of 2^63-1 and drop null from examples."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in models]
    wanted.sort(key=lambda each: each[0].__name__)
    _, found = models_json_schema(wanted, ref_template="#/components/schemas/{model}", schema_generator=_AsWritten)
    definitions: Json = found["$defs"]
    return definitions


class _AsWritten(GenerateJsonSchema):
    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def _complete(method: str, operation: Json) -> None:
    operation.setdefault("security", [])  # a list of nothing: for everybody
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        if "$ref" not in parameter:
            _complete_parameter(operation["operationId"], parameter)
    parameters.append(parameter_reference("X-Request-ID"))
    content = operation.get("requestBody", {}).get("content", {})
    if method == "patch":
        content[MERGE_PATCH] = content[JSON]
    for kind, media_type in content.items():
        bodies = examples.BODIES.get(operation["operationId"]) or examples.ROWS.get(kind, {})
        media_type["examples"] = {words: {"value": body} for words, body in bodies.items()}


def _complete_parameter(operation_id: str, parameter: Json) -> None:
    name, schema = parameter["name"], parameter["schema"]
    # An absent parameter is None in Python; in a URL there is no null.
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    parameter["schema"] = schema | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
    if parameter["in"] == "path" and name in examples.IN_A_PATH:
        parameter.setdefault("description", examples.IN_A_PATH[name])
    example = examples.PARAMETERS.get((operation_id, name), examples.PARAMETERS.get(name))
    if example is not None and parameter["required"]:
        parameter["example"] = example
    elif example is not None:
        # In the schema, where /docs shows it; an example of the parameter itself it would fill in, and send.
        parameter["schema"]["examples"] = [example]


def _complete_answers(operation: Json) -> None:
    deprecation = ("Deprecation", "Sunset", "Link") if operation.get("deprecated") else ()
    for response in operation["responses"].values():
        response["headers"] = {**response.get("headers", {}), **header_references(*deprecation, "X-Request-ID")}
        for kind, media_type in response.get("content", {}).items():
            if kind != MEDIA_TYPE:
                schema = media_type.get("schema", {}).get("$ref", kind).rpartition("schemas/")[2]
                example = examples.ANSWERS.get(schema)
                if example is not None:
                    media_type.setdefault("example", example)


def _example_of(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: str(examples.PARAMETERS.get(match[1], 7)), path)
