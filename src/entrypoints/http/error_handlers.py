"""Every error becomes problem+json: our own, the domain's and the framework's."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.utils import is_body_allowed_for_status_code
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ...domain.errors import StewardError
from ..entity_json import json_bytes
from .problems.problem_responses import (
    MOST_FAULTS,
    Fault,
    HttpProblem,
    domain_problem,
    pointer,
    problem_of_type,
    problem_response,
)
from .problems.problem_types import type_of_status
from .requests.json_body import accepted_types
from .routing.allowed_methods import allowed_methods
from .schemas import UNION_TAG

# What pydantic says in the words of Python, in those of JSON.
_OBJECT = ("object_type", "This has to be a JSON object")
_IN_WORDS_OF_JSON = {
    "missing": ("missing", "This is required"),
    "extra_forbidden": ("unknown_member", "There is no such member"),
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "string_type": ("string_type", "This has to be a string"),
    "int_type": ("int_type", "This has to be an integer"),
    "bool_type": ("bool_type", "This has to be true or false"),
    "string_unicode": ("unpaired_surrogate", "Unpaired surrogates are not allowed"),
}


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(StewardError, _domain)
    app.add_exception_handler(HttpProblem, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _framework)


async def _domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, StewardError)
    return domain_problem(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpProblem)
    return problem_response(request.scope, error.code, error.detail, faults=error.faults, headers=error.headers)


async def _framework(request: Request, error: Exception) -> Response:
    """The router's own two, for a path or a method that is not there, and what a route raises as FastAPI documents."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and "endpoint" not in request.scope:  # no route matches
        return problem_response(request.scope, "route_not_found", "There is nothing at this path")
    # The framework names the methods of the first route that matches, although the path may have more.
    methods = allowed_methods(request.app, request.scope["path"]) if error.status_code == 405 else []
    if (request.method in methods and request.method != "OPTIONS") or not methods:
        return _raised_by_a_route(request, error)
    headers = {"Allow": ", ".join(methods)}
    if request.method == "OPTIONS":  # RFC 9110 section 9.3.7, and RFC 5789 section 3.1
        patch = {"Accept-Patch": ", ".join(accepted_types("PATCH"))} if "PATCH" in methods else {}
        return Response(status_code=204, headers={**headers, **patch})
    return problem_response(request.scope, "method_not_allowed", f"This path takes {headers['Allow']}", headers=headers)


def _raised_by_a_route(request: Request, error: HTTPException) -> Response:
    if not is_body_allowed_for_status_code(error.status_code):
        return Response(status_code=error.status_code, headers=error.headers)
    # FastAPI lets `detail` be anything that JSON can hold; that of a problem is text (RFC 9457 section 3.1.4).
    detail = error.detail if isinstance(error.detail, str) else json_bytes(jsonable_encoder(error.detail)).decode()
    return problem_of_type(request.scope, type_of_status(error.status_code), detail, headers=error.headers)


async def _validation(request: Request, error: Exception) -> Response:
    """Never with the input: the framework's own handler echoes it, and fails on NaN, surrogates and bytes."""
    assert isinstance(error, RequestValidationError)
    faults = [_fault(each) for each in error.errors()[:MOST_FAULTS]]
    total = len(error.errors())
    detail = faults[0].detail if total == 1 else f"The request has {total} faults"
    if total > MOST_FAULTS:  # how many more nobody may have counted
        detail = f"The request has more than {MOST_FAULTS} faults: these are the first"
    return problem_response(request.scope, "invalid_request", detail, faults=faults)


def _fault(error: dict[str, Any]) -> Fault:
    place, *path = error["loc"]
    path += error.get("ctx", {}).get("below", ())  # see fields.rule
    code, detail = _IN_WORDS_OF_JSON.get(error["type"], (error["type"], error["msg"]))
    if place == "body":
        return Fault("pointer", pointer(_without_union_tags(path)), code, detail)
    where = "header" if place == "header" else "parameter"
    return Fault(where, ".".join(str(part) for part in path), code, detail)


def _without_union_tags(path: Sequence[str | int]) -> list[str | int]:
    """pydantic names the member of a union that it tried in the path; the body has no such member."""
    return [part for part in path if not (isinstance(part, str) and part.startswith(UNION_TAG))]
