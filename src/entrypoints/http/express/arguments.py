"""What an endpoint and its dependencies are called with: read off their signatures once, found in each request."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi.exceptions import RequestValidationError
from fastapi.params import Body as AnyBody
from fastapi.params import Depends, Path, Query
from fastapi.params import Param as AnyParameter
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

Errors = list[dict[str, Any]]  # as pydantic writes them

# The result of a dependency that was not called, because of what is wrong with the request; a body that is empty.
_MISSING: Any = object()
_MARKS = (Depends, AnyParameter, AnyBody)
_SCALARS = (str, int, float, bool, date, datetime, NoneType)


class NotPlain(Exception):
    """FastAPI has to find these arguments: they are of a kind that this module does not know."""


class Arguments:
    """Those of one endpoint: parameters of path and query that are one value each, one JSON body, the request, and
    what dependencies return.

    A dependency is an async function, or an async generator that ends with the function's scope. It is called once for
    each request, and before those that depend on it.
    """

    def __init__(self, endpoint: Callable[..., Any], dependencies: Sequence[Depends], path_names: set[str]) -> None:
        """Raises `NotPlain`."""
        self._path_names = path_names
        self._calls: list[_Call] = []
        self._places: dict[Callable[..., Any], int] = {}  # of dependencies among the calls
        for dependency in dependencies:
            self._place_of(dependency)
        if not _is_subclass(inspect.signature(endpoint, eval_str=True).return_annotation, Response):
            raise NotPlain  # FastAPI makes an answer of what it returns
        self._endpoint = self._call(endpoint)
        bodies = sum(call.body is not None for call in (*self._calls, self._endpoint))
        self._takes_body = bodies == 1
        if bodies > 1:
            raise NotPlain  # FastAPI makes each a member of one JSON object

    async def call_endpoint(self, request: Request) -> Response:
        """Return the answer of the endpoint.

        Raises:
            RequestValidationError: with all that is wrong with the request, in FastAPI's order: dependencies first,
                then path, query and body.
        """
        body = await request.json() if self._takes_body and await request.body() else _MISSING
        return await self._call_on(request, body, [], [])

    async def _call_on(self, request: Request, body: Any, results: list[Any], errors: Errors) -> Response:
        """Call the dependencies that have no result so far, and the endpoint, inside those that are generators."""
        while len(results) < len(self._calls):
            call = self._calls[len(results)]
            given = call.arguments(request, body, results, errors)
            if given is None:
                results.append(_MISSING)
            elif call.opens is None:
                results.append(await call.function(**given))
            else:
                async with call.opens(**given) as result:
                    results.append(result)
                    return await self._call_on(request, body, results, errors)
                raise AssertionError(f"{call.function} has swallowed an error")
        given = self._endpoint.arguments(request, body, results, errors)
        if given is None or errors:  # those of a dependency without a name, too
            raise RequestValidationError(errors, endpoint_ctx={"function": self._endpoint.function.__name__})
        response: Response = await self._endpoint.function(**given)
        return response

    def _place_of(self, dependency: Depends) -> int:
        function = dependency.dependency
        is_plain = type(dependency) is Depends and dependency.use_cache and dependency.max_concurrency is None
        if function is None or not is_plain:
            raise NotPlain
        if function not in self._places:
            call = self._call(function, scope=dependency.scope)
            self._places[function] = len(self._calls)
            self._calls.append(call)
        return self._places[function]

    def _call(self, function: Callable[..., Any], *, scope: str | None = None) -> "_Call":
        call = _Call(function, scope)
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            annotation, marks = _taken_apart(parameter.annotation)
            if isinstance(parameter.default, _MARKS):
                raise NotPlain
            match marks:
                case [Depends() as dependency] if parameter.default is parameter.empty:
                    call.given.append((name, self._place_of(dependency)))
                case [] if annotation is Request:
                    call.request = name
                case [] | [Path()] if name in self._path_names and _is_scalar(annotation):
                    call.parameters.append(_Parameter(parameter, "path", marks))
                case [] | [Query()] if _is_scalar(annotation) and name not in self._path_names:
                    call.parameters.append(_Parameter(parameter, "query", marks))
                case [] if (
                    _is_subclass(annotation, BaseModel) and parameter.default is parameter.empty and call.body is None
                ):
                    call.body = (name, TypeAdapter(parameter.annotation))
                case _:
                    raise NotPlain
        call.parameters.sort(key=lambda each: each.location[0])  # stable: those of the path first
        return call


class _Call:
    """One function of the tree. `given` are the names of what it depends on, each with the place of its result."""

    def __init__(self, function: Callable[..., Any], scope: str | None) -> None:
        self.function = function
        self.opens: Callable[..., AbstractAsyncContextManager[Any]] | None = None
        if inspect.isasyncgenfunction(function) and scope == "function":
            generator: Callable[..., AsyncIterator[Any]] = function
            self.opens = asynccontextmanager(generator)
        elif not inspect.iscoroutinefunction(function) or hasattr(function, "__wrapped__"):
            raise NotPlain
        self.given: list[tuple[str, int]] = []
        self.parameters: list[_Parameter] = []
        self.request: str | None = None
        self.body: tuple[str, TypeAdapter[Any]] | None = None

    def arguments(self, request: Request, body: Any, results: list[Any], errors: Errors) -> dict[str, Any] | None:
        """None if there is something wrong with one of them, which is added to `errors`."""
        so_far, is_whole = len(errors), True
        values: dict[str, Any] = {}
        for name, place in self.given:
            values[name] = result = results[place]
            is_whole = is_whole and result is not _MISSING
        for parameter in self.parameters:
            parameter.read(request, values, errors)
        if self.body is not None:
            name, adapter = self.body
            if body is _MISSING:
                errors.append(_missing(("body",)))
            else:
                _validate(adapter, body, ("body",), name, values, errors)
        if self.request is not None:
            values[self.request] = request
        return values if is_whole and len(errors) == so_far else None


class _Parameter:
    def __init__(self, parameter: inspect.Parameter, place: Literal["path", "query"], marks: list[Any]) -> None:
        alias = parameter.name
        for mark in marks:
            alias = mark.alias or alias
            if not mark.is_required() or mark.validation_alias not in (None, alias):
                raise NotPlain
        if place == "path" and alias != parameter.name:
            raise NotPlain
        self.name, self.default = parameter.name, parameter.default
        self.location = (place, alias)
        self._adapter: TypeAdapter[Any] = TypeAdapter(parameter.annotation)

    def read(self, request: Request, values: dict[str, Any], errors: Errors) -> None:
        place, alias = self.location
        received: Mapping[str, Any] = request.path_params if place == "path" else request.query_params
        value = received.get(alias)
        if value is not None:
            _validate(self._adapter, value, self.location, self.name, values, errors)
        elif self.default is inspect.Parameter.empty:
            errors.append(_missing(self.location))
        else:
            values[self.name] = self.default


def _validate(
    adapter: TypeAdapter[Any], value: Any, location: tuple[str, ...], name: str, values: dict[str, Any], errors: Errors
) -> None:
    try:
        values[name] = adapter.validate_python(value, from_attributes=True)
    except ValidationError as error:
        found: Any = error.errors(include_url=False)
        errors += [{**each, "loc": (*location, *each["loc"])} for each in found]


def _missing(location: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "missing", "loc": location, "msg": "Field required", "input": None}


def _taken_apart(annotation: Any) -> tuple[Any, list[Any]]:
    """Return the type, and what FastAPI would look at among the marks of `Annotated`."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *marks = get_args(annotation)
    return kind, [mark for mark in marks if isinstance(mark, _MARKS)]


def _is_scalar(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_scalar(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return all(_is_scalar(each) for each in get_args(annotation))
    return origin is Literal or annotation is None or _is_subclass(annotation, _SCALARS)


def _is_subclass(annotation: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, kinds)
