"""A route that takes nothing it does not know: neither in the query, nor in the way JSON is written."""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from .json_body import JsonRequest

_query_faults: ContextVar[list[dict[str, Any]]] = ContextVar("steward_query_faults")


class StrictRoute(APIRoute):
    """Refuses query parameters that are unknown or repeated (422), bodies that do not say they are JSON (415), and
    JSON that readers disagree on (400)."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _unless_faulty(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        takes_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            if takes_body:
                request = JsonRequest(request.scope, request.receive)
                await request.read(request.app.state.container.settings().max_body_size)
            faults = _faults_of_query(request, known)
            _query_faults.set(faults)
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise RequestValidationError([*faults, *error.errors()]) from None

        return handle_strictly


def _unless_faulty(endpoint: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """Called when everything else has been validated, so that faults of the query are reported with all others."""

    @wraps(endpoint)
    async def checked(*args: Any, **values: Any) -> Response:
        if _query_faults.get():
            raise RequestValidationError([])
        return await endpoint(*args, **values)

    return checked


def _query_names(dependant: Dependant) -> list[str]:
    names = [field.alias for field in dependant.query_params]
    for dependency in dependant.dependencies:
        names += _query_names(dependency)
    return names


def _faults_of_query(request: Request, known: frozenset[str]) -> list[dict[str, Any]]:
    if not request.scope["query_string"]:
        return []
    given = Counter(name for name, _ in request.query_params.multi_items())
    return [
        _fault(name, "repeated_parameter", "Give it once")
        if name in known
        else _fault(name, "unknown_parameter", "There is no such parameter")
        for name, times in given.items()
        if name not in known or times > 1
    ]


def _fault(name: str, code: str, detail: str) -> dict[str, Any]:
    """As pydantic writes them, because the framework's are."""
    return {"type": code, "loc": ("query", name), "msg": detail}
