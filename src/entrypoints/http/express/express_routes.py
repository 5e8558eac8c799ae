"""Which route a request goes to, found without asking one after the other."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.convertors import StringConvertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from ..routing.exclusive_path import ExclusivePathRoute
from ..routing.strict_route import StrictRoute
from .arguments import Arguments, NotPlain

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_MOST_SEGMENTS = 16


class ExpressRoutes:
    """Answers requests to plain `StrictRoute`s of an application. All others go to `app`, which is its router: those to
    other routes, to a path or a method that is not there, and all of them while dependencies are overridden.

    The routes are read at the first request. One that is added later is found by the router.
    """

    def __init__(self, app: ASGIApp, application: FastAPI) -> None:
        self._app = app
        self._application = application
        self._fixed: dict[str, dict[str, _Found]] | None = None  # by path and method
        # By the first segment and the number of them, in the order of the application.
        self._patterns: dict[tuple[str, int], list[_Route]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        route, scope["path_params"] = found
        scope["route"], scope["endpoint"] = route.route, route.route.endpoint
        assert route.handle is not None
        response = await route.handle(Request(scope, receive, send))
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> "_Found | None":
        if scope.get("root_path") or self._application.dependency_overrides:
            return None
        if self._fixed is None:
            self._fixed = self._read_routes()
        path, method = scope["path"], scope["method"]
        if path in self._fixed:
            found = self._fixed[path].get(method)
            return None if found is None or found[0].handle is None else found
        segments = path.split("/", _MOST_SEGMENTS)
        for route in self._patterns.get((segments[1], len(segments)), ()) if len(segments) > 1 else ():
            match = route.pattern.match(path)
            if match and method in route.methods:
                return None if route.handle is None else (route, match.groupdict())
        return None

    def _read_routes(self) -> "dict[str, dict[str, _Found]]":
        known: list[_Route] = []
        for context in iter_route_contexts(self._application.routes):
            if isinstance(context.original_route, WebSocketRoute):
                continue
            route = _Route.of(context)
            if route is None:  # it could have any path, so that what comes after it is for the router
                break
            known.append(route)
        for route in known:
            if not route.is_fixed:
                self._patterns.setdefault(route.shape, []).append(route)
        return {path: _first_by_method(path, known) for path in {route.path for route in known if route.is_fixed}}


class _Route:
    """A route of the application, as it is after all inclusions. `handle` is None if FastAPI has to answer."""

    def __init__(self, context: RouteContext, path: str, methods: set[str]) -> None:
        self.route: Any = context.original_route
        self.path, self.methods = path, methods
        self.pattern, _, convertors = compile_path(path)
        self.is_fixed = not convertors
        self.is_exclusive = isinstance(self.route, ExclusivePathRoute)
        segments = path.split("/")
        self.shape = segments[1], len(segments)
        self.can_be_found = self.is_fixed or (
            "{" not in segments[1]
            and not self.is_exclusive
            and all(type(each) is StringConvertor for each in convertors.values())
        )
        self.handle = self._handler(context, set(convertors))

    @classmethod
    def of(cls, context: RouteContext) -> "_Route | None":
        """Return None for a route that cannot be told from others by its path: a mount, a path of any length."""
        path, methods = context.path, context.methods
        if not path or not methods:
            return None
        route = cls(context, path, methods)
        return route if route.can_be_found else None

    def _handler(self, context: RouteContext, path_names: set[str]) -> _Handler | None:
        route = self.route
        if not isinstance(route, StrictRoute) or type(route).get_route_handler is not StrictRoute.get_route_handler:
            return None
        if context.max_body_size is not None:
            return None
        try:
            arguments = Arguments(route.endpoint, context.dependencies, path_names)
        except NotPlain:
            return None
        return route.strictly(arguments.call_endpoint)


_Found = tuple[_Route, dict[str, Any]]  # with the parameters of the path


def _first_by_method(path: str, routes: list[_Route]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for route in routes:
        if match := route.pattern.match(path):
            for method in route.methods:
                found.setdefault(method, (route, match.groupdict()))
            if route.is_exclusive:
                break  # what comes after it never gets such a request
    return found


def install_express_routes(app: FastAPI) -> None:
    """Let requests to plain routes of ours bypass the routing and the argument solving of FastAPI."""
    app.router.middleware_stack = ExpressRoutes(app.router.middleware_stack, app)
