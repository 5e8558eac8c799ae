"""Every error becomes problem+json: our own, the domain's and the framework's."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ...domain.errors import StewardError
from .allowed_methods import allowed_methods
from .problems import Fault, HttpProblem, domain_problem, pointer, problem_response
from .schemas import UNION_TAG

_FRAMEWORK_CODES = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}


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
    return problem_response(request, error.code, error.detail, faults=error.faults, headers=error.headers)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _FRAMEWORK_CODES.get(error.status_code, "bad_request")
    if code == "route_not_found":
        return problem_response(request, code, "There is nothing at this path")
    if code == "method_not_allowed":
        # The framework names the methods of the first route that matches, although the path may have more.
        allow = ", ".join(allowed_methods(request.app, request.scope["path"]))
        return problem_response(request, code, f"This path takes {allow}", headers={"Allow": allow})
    return problem_response(request, code, str(error.detail))


async def _validation(request: Request, error: Exception) -> Response:
    """Never with the input: the framework's own handler echoes it, and fails on NaN, surrogates and bytes."""
    assert isinstance(error, RequestValidationError)
    faults = [_fault(each) for each in error.errors()]
    detail = faults[0].detail if len(faults) == 1 else f"The request has {len(faults)} faults"
    return problem_response(request, "invalid_request", detail, faults=faults)


def _fault(error: dict[str, Any]) -> Fault:
    place, *path = error["loc"]
    path += error.get("ctx", {}).get("below", ())  # see fields.rule
    code, detail = str(error["type"]), str(error["msg"])
    if place == "body":
        return Fault("pointer", pointer(_without_union_tags(path)), code, detail)
    where = "header" if place == "header" else "parameter"
    return Fault(where, ".".join(str(part) for part in path), code, detail)


def _without_union_tags(path: Sequence[str | int]) -> list[str | int]:
    """pydantic names the member of a union that it tried in the path; the body has no such member."""
    return [part for part in path if not (isinstance(part, str) and part.startswith(UNION_TAG))]
