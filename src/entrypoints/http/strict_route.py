"""A route that takes nothing it does not know: no stranger, no parameter, no way of writing JSON."""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from inspect import cleandoc
from typing import Any, ClassVar

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from ...config import Settings
from ...service_layer.deadline import within
from .answer_headers import OF_THE_ROUTE
from .authentication import SCHEME, SignIn, access_token_of, identified, sign_in_wanted
from .deprecation import deprecation_of
from .documentation import problems
from .json_body import JsonRequest

_MOST_PARAMETERS = 100  # far more than any operation knows; to take thousands apart would keep the server busy

_query_faults: ContextVar[list[dict[str, Any]]] = ContextVar("steward_query_faults")


class StrictRoute(APIRoute):
    """Refuses callers who have not signed in, where the endpoint takes an actor (401), query parameters that are
    unknown or repeated (422), bodies that do not say they are JSON (415), and JSON that readers disagree on (400).

    In this order: of whoever sends nothing that can be a token not even the body is read. Of others it is read before
    the database is asked who they are, or whoever holds a body back would keep the rights of when it began.

    Routes of another kind have a class of their own: `body_limit` and `time_limit` name the settings that bound the
    body, and the time from when it has come to when the answer begins.
    """

    body_limit: ClassVar[str] = "max_body_size"
    time_limit: ClassVar[str] = "request_timeout"

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._sign_in = sign_in_wanted(endpoint)
        self._deprecation = deprecation_of(endpoint)
        if self._deprecation is not None:
            words = [endpoint.__doc__ or "", self._deprecation.in_words()]
            options |= {"deprecated": True, "description": "\n\n".join(cleandoc(each) for each in words if each)}
        super().__init__(path, _unless_faulty(endpoint), **_documented(options, self._sign_in))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if self._deprecation is not None and match is Match.FULL:
            child_scope[OF_THE_ROUTE] = self._deprecation.headers(child_scope["path_params"])
        return match, child_scope

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = self._validating_handler()
        wanted = self._sign_in

        async def handle_strictly(request: Request) -> Response:
            settings: Settings = request.app.state.container.settings()
            token = None if wanted is None else access_token_of(request, wanted)
            request = await self.read_body(request, settings)
            async with within(getattr(settings, self.time_limit), statement=settings.statement_timeout):
                if wanted is None:
                    return await handle(request)
                async with identified(request, token):
                    return await handle(request)

        return handle_strictly

    async def read_body(self, request: Request, settings: Settings) -> Request:
        """Before the time of the request begins: the body comes as fast as its client sends it."""
        if self.body_field is not None:
            request = JsonRequest(request.scope, request.receive)
            await request.read(getattr(settings, self.body_limit), timeout=settings.body_timeout)
            request.state.content = await request.body()
        return request

    def _validating_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))

        async def validate(request: Request) -> Response:
            if isinstance(request, JsonRequest):
                request.parse()
            faults = _faults_of_query(request, known)
            _query_faults.set(faults)
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise RequestValidationError([*faults, *error.errors()]) from None

        return validate


def _documented(options: dict[str, Any], sign_in: SignIn | None) -> dict[str, Any]:
    """With what signing in means for the OpenAPI document."""
    if sign_in is None:
        return options
    either: list[dict[str, list[str]]] = [{}] if sign_in is SignIn.OPTIONAL else []
    return {
        **options,
        "responses": problems("not_authenticated", "token_expired", "token_revoked", bare=True)
        | (options.get("responses") or {}),
        "openapi_extra": {"security": [*either, {SCHEME: []}], **(options.get("openapi_extra") or {})},
    }


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
    query: bytes = request.scope["query_string"]
    if not query:
        return []
    if query.count(b"&") >= _MOST_PARAMETERS:
        return [_fault("", "too_many_parameters", f"At most {_MOST_PARAMETERS} parameters")]
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
