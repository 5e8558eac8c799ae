"""What an endpoint is given, found in a request.

What a route takes is FastAPI's to say: its `Dependant` holds the parameters, their types and defaults, and what it
depends on. FastAPI walks that tree anew for each request, ready for much that nothing here uses, and is most of the
cost of a small one; here it is walked once, when the route is made.
"""

from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from inspect import iscoroutinefunction
from typing import Any

from fastapi._compat import ModelField, field_annotation_is_sequence, lenient_issubclass
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from pydantic import BaseModel
from starlette.requests import Request

from ..requests.json_body import NO_BODY

Errors = list[dict[str, Any]]  # as pydantic writes them
Overrides = Mapping[Callable[..., Any], Callable[..., Any]]

_MISSING = object()  # the result of what could not be called, because of what is wrong with the request
_NOT_TAKEN = (
    *("header_params", "cookie_params", "http_connection_param_name", "websocket_param_name", "response_param_name"),
    *("background_tasks_param_name", "security_scopes_param_name", "concurrency"),
)


class Arguments:
    """Those of one endpoint: parameters of path and query, one JSON body, the request, and what dependencies return.

    A dependency is an async function, called once for each request, and before those that depend on it. All else that
    FastAPI knows is refused with a `TypeError` when the route is made. With `overrides` others are called instead.
    """

    def __init__(self, dependant: Dependant, overrides: Overrides | None = None) -> None:
        self._dependencies: list[_Call] = []
        self._order: dict[Callable[..., Any], int] = {}  # of the results of dependencies
        self._endpoint = self._call(dependant, overrides or {})
        calls = (*self._dependencies, self._endpoint)
        if sum(call.body is not None for call in calls) > 1:
            raise TypeError(f"{dependant.call} takes two bodies")
        self.query_names = frozenset(parameter.alias for call in calls for parameter in call.query)

    def _call(self, dependant: Dependant, overrides: Overrides) -> "_Call":
        given = [(each.name, self._place_of(each, overrides)) for each in dependant.dependencies]
        return _Call(dependant, [(name, place) for name, place in given if name is not None])

    def _place_of(self, dependant: Dependant, overrides: Overrides) -> int:
        function = dependant.call
        assert function is not None
        assert dependant.path is not None
        if function not in self._order:
            if function in overrides:
                dependant = get_dependant(path=dependant.path, call=overrides[function])
            call = self._call(dependant, overrides)
            self._order[function] = len(self._dependencies)
            self._dependencies.append(call)
        return self._order[function]

    async def find(self, request: Request, query: Mapping[str, str], body: object) -> tuple[dict[str, Any], Errors]:
        """The arguments, and what is wrong with the request, in which case they are not whole.

        `body` is what has been read of it, or `NO_BODY`. In the order of FastAPI: errors of dependencies come before
        those of the path, the query, and the body.
        """
        results: list[Any] = []
        errors: Errors = []
        for call in self._dependencies:
            arguments = call.arguments(results, request, query, body, errors)
            results.append(_MISSING if arguments is None else await call.function(**arguments))
        return self._endpoint.arguments(results, request, query, body, errors) or {}, errors


class _Call:
    """One function of the tree. `given` are the names of what it depends on, each with the place of its result."""

    function: Callable[..., Awaitable[Any]]

    def __init__(self, dependant: Dependant, given: list[tuple[str, int]]) -> None:
        function = dependant.call
        if function is None or not iscoroutinefunction(function):
            raise TypeError(f"{function} has to be an async function")
        for kind in _NOT_TAKEN:
            if getattr(dependant, kind):
                raise TypeError(f"{function} takes what no route here is given: {kind}")
        self.function = function
        self.path = [_Parameter(field, "path") for field in dependant.path_params]
        self.query = [_Parameter(field, "query") for field in dependant.query_params]
        self._given = given
        self.body = _body_of(dependant)
        self._request = dependant.request_param_name
        self._required = [parameter for parameter in self.query if parameter.is_required]
        self._defaults = {parameter.name: parameter.default for parameter in self.query if not parameter.is_required}

    def arguments(
        self, results: list[Any], request: Request, query: Mapping[str, str], body: object, errors: Errors
    ) -> dict[str, Any] | None:
        """None if there is something wrong with one of them, which is added to `errors`."""
        so_far = len(errors)
        values = self._defaults.copy()
        is_whole = True
        for name, place in self._given:
            values[name] = results[place]
            is_whole = is_whole and results[place] is not _MISSING
        if self.path:
            path = request.scope["path_params"]
            for parameter in self.path:
                parameter.read(path, values, errors)
        for parameter in self.query if query else self._required:
            parameter.read(query, values, errors)
        if self.body is not None:
            self.body.read(body, values, errors)
        if self._request is not None:
            values[self._request] = request
        return values if is_whole and len(errors) == so_far else None


class _Parameter:
    def __init__(self, field: ModelField, place: str) -> None:
        kind = field.field_info.annotation
        if field_annotation_is_sequence(kind) or lenient_issubclass(kind, BaseModel):
            raise TypeError(f"{field.name} has to be one value: a parameter that comes twice is refused")
        self.name, self.alias = field.name, field.alias
        self.is_required = field.field_info.is_required()
        self.default = None if self.is_required else deepcopy(field.default)
        self._validate = field.validate
        self._location = (place, field.alias)

    def read(self, received: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        value = received.get(self.alias)
        if value is not None:
            values[self.name], found = self._validate(value, loc=self._location)
            errors += found
        elif self.is_required:
            errors.append(_missing(self._location))


class _Body:
    def __init__(self, field: ModelField) -> None:
        self._name = field.name
        self._validate = field.validate

    def read(self, body: object, values: dict[str, Any], errors: Errors) -> None:
        if body is NO_BODY:
            errors.append(_missing(("body",)))
        else:
            values[self._name], found = self._validate(body, loc=("body",))
            errors += found


def _body_of(dependant: Dependant) -> _Body | None:
    """Several would each be a member of one JSON object."""
    if not dependant.body_params:
        return None
    field, *others = dependant.body_params
    info: Any = field.field_info
    if others or info.embed or not info.is_required():
        raise TypeError(f"{dependant.call} has to take one JSON body, which is required")
    return _Body(field)


def _missing(location: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "missing", "loc": location, "msg": "Field required", "input": None}
