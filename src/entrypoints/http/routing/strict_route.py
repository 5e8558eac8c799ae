"""A route that takes nothing it does not know: no stranger, no parameter, no way of writing JSON."""

import inspect
from collections.abc import Callable, Coroutine
from functools import update_wrapper
from inspect import cleandoc
from typing import Annotated, Any, ClassVar

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from ....config import Settings
from ....service_layer.deadline import within
from ..dependencies import container_of
from ..openapi.documentation import problems
from ..request_context import context_of
from ..requests.authentication import SignIn, access_token_of, identify, security_of, sign_in_wanted
from ..requests.strict_request import StrictQuery, StrictRequest
from .deprecation import deprecation_of

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """Refuses callers who have not signed in, where the endpoint takes an actor (401), query parameters that are
    unknown or repeated (422), bodies that do not say they are JSON (415), and JSON that readers disagree on (400).

    Checks the token's syntax, then reads the body, then looks the token up, then parses the body. The lookup comes
    after the body so that a slow upload cannot outlive a revoked token, and before the parser so that it works for
    known callers only. Everything else is FastAPI's: dependencies, parameters, the answer.

    A route of another kind is a subclass: `body_limit` and `time_limit` name the settings that bound the body, and
    the time from when the body has come to when the answer begins. An endpoint is a function; generators are refused.
    """

    body_limit: ClassVar[str] = "max_body_size"
    time_limit: ClassVar[str] = "request_timeout"

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._sign_in = sign_in_wanted(endpoint, options.get("dependencies") or ())
        self._deprecation = deprecation_of(endpoint)
        if self._deprecation is not None:
            words = [endpoint.__doc__ or "", self._deprecation.in_words()]
            options |= {"deprecated": True, "description": "\n\n".join(cleandoc(each) for each in words if each)}
        super().__init__(path, _refusing_unknown_parameters(endpoint), **_documented(options, self._sign_in))

    def get_route_handler(self) -> _Handler:
        return self.strictly(super().get_route_handler())

    def strictly(self, handle: _Handler) -> _Handler:
        """Return `handle`, which finds the arguments of the endpoint and calls it, with our checks before it."""

        async def handle_strictly(given: Request) -> Response:
            settings: Settings = container_of(given).settings()
            request = StrictRequest(given, getattr(settings, self.body_limit), settings.body_timeout)
            if self._deprecation is not None:
                context_of(request.scope).route_headers = self._deprecation.headers(request.path_params)
            wanted = self.sign_in_wanted(request)
            if wanted is not None:
                access_token_of(request, wanted)
            await self.read_body(request, settings)
            async with within(getattr(settings, self.time_limit), statement=settings.statement_timeout):
                if self.body_field is not None and wanted is not None:
                    await identify(request, container_of(request).unit_of_work(), wanted)
                return await self.answer(handle, request)

        return handle_strictly

    def sign_in_wanted(self, request: Request) -> SignIn | None:
        """Return whether the caller has to have signed in, with what stands in for dependencies."""
        overrides = request.app.dependency_overrides
        return sign_in_wanted(self.endpoint, self.dependencies, overrides) if overrides else self._sign_in

    async def read_body(self, request: StrictRequest, settings: Settings) -> None:
        """Read what the endpoint takes, before the time of the request begins: a body comes as fast as its client
        sends it."""
        if self.body_field is not None:
            context_of(request.scope).content = await request.body()

    async def answer(self, handle: _Handler, request: StrictRequest) -> Response:
        """Let FastAPI call the endpoint. Raises `RequestValidationError` with all that is wrong with the request."""
        if self.body_field is not None:
            await request.json()  # what FastAPI would make of the errors is one vague 400
        try:
            return await handle(request)
        except RequestValidationError as error:
            if error.endpoint_ctx and (unknown := request.query_params.errors()):  # it is FastAPI's, which has asked
                raise RequestValidationError([*unknown, *error.errors()]) from None
            raise


async def _query_of(request: Request) -> StrictQuery:
    assert isinstance(request, StrictRequest)
    return request.query_params


def _refusing_unknown_parameters(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Return `endpoint` with a check before it: FastAPI has asked for all parameters by then."""
    if inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint):
        raise TypeError(f"{endpoint} is a generator: a strict route takes a function that returns its answer")

    is_async = inspect.iscoroutinefunction(endpoint)

    async def checked(*, strict_query: StrictQuery, **arguments: Any) -> Any:
        if errors := strict_query.errors():
            raise RequestValidationError(errors)
        return await (endpoint(**arguments) if is_async else run_in_threadpool(endpoint, **arguments))

    update_wrapper(checked, endpoint)
    del checked.__wrapped__  # type: ignore[attr-defined]  # FastAPI would look through it
    signature = inspect.signature(endpoint, eval_str=True)
    query = inspect.Parameter(
        "strict_query", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[StrictQuery, Depends(_query_of)]
    )
    checked.__signature__ = signature.replace(parameters=[*signature.parameters.values(), query])  # type: ignore[attr-defined]
    return checked


def _documented(options: dict[str, Any], sign_in: SignIn | None) -> dict[str, Any]:
    """With what signing in means for the OpenAPI document."""
    if sign_in is None:
        return options
    return {
        **options,
        "responses": problems("not_authenticated", "token_expired", "token_revoked", bare=True)
        | (options.get("responses") or {}),
        "openapi_extra": {"security": security_of(sign_in), **(options.get("openapi_extra") or {})},
    }
