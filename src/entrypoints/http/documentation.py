"""What the OpenAPI document says beyond what FastAPI reads off the routes."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .problem_types import PROBLEM_TYPES
from .problems import MEDIA_TYPE
from .schemas import ProblemOut

_EVERYWHERE = (
    "bad_request",
    "invalid_request",
    "internal_error",
    "overloaded",
    "database_unavailable",
    "deadline_exceeded",
)
_WITH_BODY = ("malformed_json", "body_too_large", "unsupported_media_type")
_WRITING = ("conflict", "outcome_unknown", "storage_full")

Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str, reads: bool = False, body: bool = False) -> Responses:
    """The `responses` of a route: the problems it names, and those that any route of its kind can have."""
    every = {*codes, *_EVERYWHERE, *(() if reads else _WRITING), *(_WITH_BODY if body else ())}
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in PROBLEM_TYPES.values():
        if kind.code in every:
            answer = by_status.setdefault(
                kind.status, {"model": ProblemOut, "description": "", "content": {MEDIA_TYPE: {}}}
            )
            answer["description"] += f"{', ' if answer['description'] else ''}`{kind.code}`"
    return by_status


def answers(model: type, description: str, *, status: int = 200, headers: tuple[str, ...] = ()) -> Responses:
    return {
        status: {
            "model": model,
            "description": description,
            "headers": {name: _HEADERS[name] for name in headers},
        }
    }


_HEADERS = {
    "ETag": {"description": 'A strong validator, `"<id>-<version>"`', "schema": {"type": "string"}},
    "Location": {"description": "The path of what was created", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, `rel="next"`, when there is one', "schema": {"type": "string"}},
}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Made once. Problems stand under their own media type, and the framework's own error models are left out."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        for operation in (o for path in document["paths"].values() for o in path.values()):
            for response in operation["responses"].values():
                content = response.get("content", {})
                if MEDIA_TYPE in content:
                    content[MEDIA_TYPE] = content.pop("application/json", content[MEDIA_TYPE])
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema
