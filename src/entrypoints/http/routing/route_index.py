"""Which route a request goes to, found without asking one after the other.

The routers of FastAPI and Starlette ask every route whether its pattern matches, and make a scope for each answer: for
a small request that is most of what happens before its endpoint.
"""

from collections.abc import Iterable
from typing import Any

from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from .exclusive_path import ExclusivePathRoute
from .strict_route import StrictRoute


class RouteIndex:
    """Finds what the router would find: of the `StrictRoute`s among `routes`, the first that has the path and the
    method. All else goes to `app`, which is the router: other routes, and what has none.

    Raises `ValueError` for a pattern that it could not find: one that begins with a parameter, or has one that is no
    plain segment.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        known = [route for route in routes if isinstance(route, StrictRoute)]
        fixed = {route.path for route in known if not route.param_convertors}
        self._fixed = {path: _by_method(path, known) for path in fixed}
        # By the first segment and the number of them, in order.
        self._patterns: dict[tuple[str, int], list[StrictRoute]] = {}
        for route in known:
            if route.path not in fixed:
                self._patterns.setdefault(_shape(route), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" and not scope.get("root_path") else None
        if found is None:
            await self._app(scope, receive, send)
        else:
            route, path_params = found
            route.select(scope, path_params)
            await route.app(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[StrictRoute, dict[str, Any]] | None:
        path, method = scope["path"], scope["method"]
        if path in self._fixed:
            return self._fixed[path].get(method)
        segments = path.split("/", 16)
        for route in self._patterns.get((segments[1], len(segments)), ()) if len(segments) > 1 else ():
            if method in (route.methods or ()) and (match := route.path_regex.match(path)):
                return route, match.groupdict()
        return None


def _by_method(path: str, routes: list[StrictRoute]) -> dict[str, tuple[StrictRoute, dict[str, Any]]]:
    found: dict[str, tuple[StrictRoute, dict[str, Any]]] = {}
    for route in routes:
        if match := route.path_regex.match(path):
            for method in route.methods or ():
                found.setdefault(method, (route, match.groupdict()))
            if isinstance(route, ExclusivePathRoute):
                break  # whatever else matches never gets such a request
    return found


def _shape(route: StrictRoute) -> tuple[str, int]:
    segments = route.path.split("/")
    is_plain = all(isinstance(each, StringConvertor) for each in route.param_convertors.values())
    if "{" in segments[1] or not is_plain or isinstance(route, ExclusivePathRoute):
        raise ValueError(f"{route.path} cannot be told from other paths by its first segment and their number")
    return segments[1], len(segments)
