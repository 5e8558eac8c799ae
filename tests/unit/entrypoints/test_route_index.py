"""The index of routes finds what the router would find, without asking it."""

from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send
from steward.entrypoints.http.middleware.answer_headers import OF_THE_ROUTE
from steward.entrypoints.http.routing.deprecation import deprecated
from steward.entrypoints.http.routing.exclusive_path import ExclusivePathRoute
from steward.entrypoints.http.routing.route_index import RouteIndex
from steward.entrypoints.http.routing.strict_route import StrictRoute

TOLD = ("endpoint", "path_params", OF_THE_ROUTE)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
SEGMENTS = ["", "items", "batch", "users", "me", "password", "parts", "7", "é", "a b", "items\n"]


class Reached(Exception):
    """A route, with what its scope says."""


async def reach(scope: Scope, receive: Receive, send: Send) -> None:
    raise Reached({name: scope.get(name) for name in TOLD}, scope["route"].methods)


def route(method: str, path: str, kind: type[StrictRoute] = StrictRoute, *, is_old: bool = False) -> StrictRoute:
    async def answer() -> Response:
        return Response()

    marked = deprecated(since=date(2027, 1, 1), successor="/new/{item_id}")(answer) if is_old else answer
    made = kind(path, marked, methods=[method])
    made.app = reach
    return made


ROUTES = [
    route("GET", "/"),
    route("GET", "/items"),
    route("POST", "/items"),
    route("POST", "/items/batch", ExclusivePathRoute),
    route("GET", "/items/{item_id}", is_old=True),
    route("PATCH", "/items/{item_id}"),
    route("GET", "/items/{item_id}/parts"),
    route("GET", "/items/{item_id}/{part}"),
    route("GET", "/users/{user_id}"),
    route("PUT", "/users/me"),
    route("GET", "/users/me"),  # never reached: the pattern before it has the method, too
    route("PUT", "/users/me/password"),
    route("DELETE", "/users/{user_id}/{part}"),
]
ROUTER = Router(ROUTES, redirect_slashes=False)


class AskedForHelp(Exception):
    pass


async def no_router(scope: Scope, receive: Receive, send: Send) -> None:
    raise AskedForHelp


async def outcome(app: Any, method: str, path: str, **members: Any) -> Any:
    """What was reached, or the status with which it was not."""

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": [], "app": app, **members}
    try:
        await app(scope, receive, send)
    except Reached as reached:
        return reached.args
    except HTTPException as refused:
        return refused.status_code
    except AskedForHelp:
        return None


@given(st.sampled_from(METHODS), st.lists(st.sampled_from(SEGMENTS), max_size=4))
@settings(database=None, max_examples=500)
@example("GET", ["items", "batch"])
@example("PUT", ["items", "7"])
@example("PUT", ["users", "me"])
@example("GET", ["users", "me"])
@example("DELETE", ["users", "me", "password"])
async def test_it_finds_what_the_router_finds(method: str, segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    expected = await outcome(ROUTER, method, path)
    assert await outcome(RouteIndex(ROUTER, ROUTES), method, path) == expected
    if path.endswith("\n"):  # which patterns overlook: the router is asked about it
        return
    alone = await outcome(RouteIndex(no_router, ROUTES), method, path)
    assert alone == (None if isinstance(expected, int) else expected)


async def test_what_it_does_not_know_goes_to_the_router() -> None:
    late = route("GET", "/late")
    index = RouteIndex(Router([*ROUTES, late]), ROUTES)
    assert await outcome(index, "GET", "/late") == (
        {"endpoint": late.endpoint, "path_params": {}, OF_THE_ROUTE: None},
        {"GET"},
    )
    assert await outcome(index, "GET", "/nowhere") == 404
    assert await outcome(index, "GET", "*") == 404


@pytest.mark.parametrize(("path", "root_path"), [("/api/items", "/api"), ("/items/7", "/items"), ("/items", "/items")])
async def test_below_the_path_of_another_application_it_finds_the_same(path: str, root_path: str) -> None:
    expected = await outcome(ROUTER, "GET", path, root_path=root_path)
    assert await outcome(RouteIndex(ROUTER, ROUTES), "GET", path, root_path=root_path) == expected


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/{anything}/parts", StrictRoute), ("/files/{path:path}", StrictRoute), ("/a/{b}", ExclusivePathRoute)],
)
def test_a_pattern_that_it_could_not_tell_from_others_is_refused(path: str, kind: type[StrictRoute]) -> None:
    with pytest.raises(ValueError, match="cannot be told"):
        RouteIndex(no_router, [route("GET", path, kind)])
