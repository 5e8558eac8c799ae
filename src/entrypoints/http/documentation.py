"""What the OpenAPI document says beyond what FastAPI reads off the routes."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema

from . import schemas
from .authentication import SCHEME
from .json_body import JSON, MERGE_PATCH
from .problem_types import PROBLEM_TYPES, TOKEN_PATH, ProblemType
from .problems import MEDIA_TYPE

_EVERYWHERE = ("invalid_request", "internal_error")
_WITH_DATABASE = ("overloaded", "database_unavailable", "deadline_exceeded", "schema_out_of_date")
_WITH_BODY = ("malformed_json", "body_too_large", "unsupported_media_type")
_WRITING = ("conflict", "outcome_unknown", "storage_full")

_HEADERS = {
    "ETag": 'A strong validator, `"<id>-<version>"`',
    "Location": "The path of what was created",
    "Link": 'The next page, `rel="next"`, when there is one',
    "Retry-After": "In seconds; absent where a repetition could do something twice",
    "WWW-Authenticate": "How to sign in (RFC 6750 section 3)",
    "RateLimit": "What is left of a limit, and when it resets, in seconds (draft-ietf-httpapi-ratelimit-headers)",
    "RateLimit-Policy": "The limit: how many in how many seconds",
    "Cache-Control": "`no-store`: tokens are kept nowhere but by the client",
}

_SIGN_IN = {
    "type": "oauth2",
    "description": "Sign in with a password; every later request carries the access token.",
    "flows": {"password": {"tokenUrl": TOKEN_PATH, "refreshUrl": TOKEN_PATH, "scopes": {}}},
}

Responses = dict[int | str, dict[str, Any]]


def answers(model: type, description: str, *, status: int = 200, headers: tuple[str, ...] = ()) -> Responses:
    return {status: {"model": model, "description": description, "headers": _headers(*headers)}}


def problems(
    *codes: str, database: bool = True, writes: bool = False, body: bool = False, bare: bool = False
) -> Responses:
    """The `responses` of a route: the problems it names, and, unless `bare`, those that any route of its kind can
    have."""
    every = {
        *codes,
        *(() if bare else _EVERYWHERE),
        *(_WITH_DATABASE if database and not bare else ()),
        *(_WRITING if writes else ()),
        *(_WITH_BODY if body else ()),
    }
    by_status: dict[int, list[ProblemType]] = {}
    for kind in PROBLEM_TYPES.values():
        if kind.code in every:
            by_status.setdefault(kind.status, []).append(kind)
    return {status: _problem(kinds) for status, kinds in by_status.items()}


def _problem(kinds: list[ProblemType]) -> dict[str, Any]:
    return {
        "model": schemas.ProblemOut,
        "description": "; ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"properties": {"code": {"enum": [kind.code for kind in kinds]}}}}},
        "headers": _headers(*sorted({name for kind in kinds for name in _headers_of(kind)})),
    }


def _headers_of(kind: ProblemType) -> tuple[str, ...]:
    if kind.status == 401:
        return ("WWW-Authenticate",)
    if kind.code == "rate_limited":
        return "Retry-After", "RateLimit", "RateLimit-Policy"
    return ("Retry-After",) if kind.retry_after else ()


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Made once for each application."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        for path in document["paths"].values():
            for method, operation in path.items():
                _complete(method, operation)
        document["components"]["schemas"] = _schemas(document["components"]["schemas"])
        document["components"]["securitySchemes"] = {SCHEME: _SIGN_IN}
        app.openapi_schema = document
    return app.openapi_schema


def _schemas(names: Iterable[str]) -> dict[str, Any]:
    """Ours, straight from pydantic: the framework would make 2^63 of 2^63-1 and drop null from examples."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (getattr(schemas, name), "validation") for name in names if hasattr(schemas, name)
    ]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}", schema_generator=_AsWritten)
    definitions: dict[str, Any] = found["$defs"]
    return definitions


class _AsWritten(GenerateJsonSchema):
    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def _complete(method: str, operation: dict[str, Any]) -> None:
    for response in operation["responses"].values():
        content = response.get("content", {})
        if MEDIA_TYPE in content:  # the framework puts every model under the media type of the route's success
            (misplaced,) = content.keys() - {MEDIA_TYPE}
            content[MEDIA_TYPE]["schema"] |= content.pop(misplaced)["schema"]
    for parameter in operation.get("parameters", ()):
        # An absent parameter is None in Python; in a URL there is no null.
        schema = parameter["schema"]
        kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
        parameter["schema"] = schema | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
    if method == "patch":
        content = operation["requestBody"]["content"]
        content[MERGE_PATCH] = content[JSON]
