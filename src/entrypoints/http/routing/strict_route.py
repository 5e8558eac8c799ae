"""A route that takes nothing it does not know: no stranger, no parameter, no way of writing JSON."""

from collections import Counter
from collections.abc import Callable, Coroutine
from inspect import cleandoc
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from ....config import Settings
from ....service_layer.deadline import within
from ..dependencies import container_of
from ..middleware.answer_headers import OF_THE_ROUTE
from ..openapi.documentation import problems
from ..requests.authentication import SCHEME, SignIn, access_token_of, identified, sign_in_wanted
from ..requests.json_body import NO_BODY, JsonRequest
from .arguments import Arguments, Errors
from .deprecation import deprecation_of

_MOST_PARAMETERS = 100  # far more than any operation knows; to take thousands apart would keep the server busy


class StrictRoute(APIRoute):
    """Refuses callers who have not signed in, where the endpoint takes an actor (401), query parameters that are
    unknown or repeated (422), bodies that do not say they are JSON (415), and JSON that readers disagree on (400).

    In this order: of whoever sends nothing that can be a token not even the body is read. Of others it is read before
    the database is asked who they are, or whoever holds a body back would keep the rights of when it began.

    Its own code stands where FastAPI's would solve dependencies and close what they leave open: what an endpoint takes
    is read off once, by `Arguments`. So what `include_router` would add to a route, such as a dependency, is not seen.

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
        super().__init__(path, endpoint, **_documented(options, self._sign_in))
        self._handle = self.get_route_handler()
        self.app = self._answer

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if self._deprecation is not None and match is Match.FULL:
            child_scope[OF_THE_ROUTE] = self._deprecation.headers(child_scope["path_params"])
        return match, child_scope

    def select(self, scope: Scope, path_params: dict[str, Any]) -> None:
        """Say in `scope` that the request goes here, as the router does after `matches`."""
        scope["route"], scope["endpoint"], scope["path_params"] = self, self.endpoint, path_params
        if self._deprecation is not None:
            scope[OF_THE_ROUTE] = self._deprecation.headers(path_params)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Without what the framework puts around each route: errors are answered by the layer around all of them, and
        nothing here is left to be closed after the answer."""
        response = await self._handle(Request(scope, receive, send))
        await response(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = self._validating_handler()
        wanted = self._sign_in

        async def handle_strictly(request: Request) -> Response:
            settings: Settings = container_of(request).settings()
            token = None if wanted is None else access_token_of(request, wanted)
            request = await self.read_body(request, settings)
            async with within(getattr(settings, self.time_limit), statement=settings.statement_timeout):
                if wanted is None:
                    return await handle(request)
                return await identified(request, token, handle)

        return handle_strictly

    async def read_body(self, request: Request, settings: Settings) -> Request:
        """Before the time of the request begins: the body comes as fast as its client sends it."""
        if self.body_field is not None:
            request = JsonRequest(request.scope, request.receive)
            limit: int = getattr(settings, self.body_limit)
            request.state.content = await request.read(limit, timeout=settings.body_timeout)
        return request

    def _validating_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint, arguments = self.endpoint, Arguments(self.dependant)
        known = arguments.query_names

        async def validate(request: Request) -> Response:
            body = request.parse() if type(request) is JsonRequest else NO_BODY
            query, faults = _parse_query(request.scope["query_string"], known)
            overrides = request.app.dependency_overrides
            asked = Arguments(self.dependant, overrides) if overrides else arguments
            given, errors = await asked.find(request, query, body)
            if faults or errors:
                raise RequestValidationError([*faults, *errors])
            response: Response = await endpoint(**given)
            return response

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


def _parse_query(query: bytes, known: frozenset[str]) -> tuple[dict[str, str], Errors]:
    """The parameters, and what is wrong with their names."""
    if not query:
        return {}, []
    if query.count(b"&") >= _MOST_PARAMETERS:
        return {}, [_fault("", "too_many_parameters", f"At most {_MOST_PARAMETERS} parameters")]
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) == len(pairs) and parameters.keys() <= known:
        return parameters, []
    return parameters, [
        _fault(name, "repeated_parameter", "Give it once")
        if name in known
        else _fault(name, "unknown_parameter", "There is no such parameter")
        for name, times in Counter(name for name, _ in pairs).items()
        if name not in known or times > 1
    ]


def _fault(name: str, code: str, detail: str) -> dict[str, Any]:
    """As pydantic writes them, because the framework's are."""
    return {"type": code, "loc": ("query", name), "msg": detail}
