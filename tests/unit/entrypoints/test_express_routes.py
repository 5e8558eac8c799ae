"""The fast way for our routes answers as FastAPI's router does, and leaves to it what it does not know."""

from datetime import date
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from steward.bootstrap import container_for
from steward.config import load_settings
from steward.entrypoints.http.app import create_app
from steward.entrypoints.http.express.express_routes import ExpressRoutes
from steward.entrypoints.http.routing.deprecation import deprecated
from steward.entrypoints.http.routing.exclusive_path import ExclusivePathRoute
from steward.entrypoints.http.routing.strict_route import StrictRoute

from tests.support.steward_server import SECRET

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
SEGMENTS = ["", "boxes", "batch", "people", "me", "password", "parts", "7", "é", "a b", "late", "plain", "v2"]


def add(to: APIRouter | FastAPI, method: str, path: str, *, is_old: bool = False) -> None:
    async def answer() -> Response:
        return Response(headers={"X-Route": f"{method} {path}"})

    marked = deprecated(since=date(2027, 1, 1), successor="/new/{box_id}")(answer) if is_old else answer
    to.add_api_route(path, marked, methods=[method])


def application(express: str = "auto") -> FastAPI:
    url = "sqlite+aiosqlite:///:memory:"
    app = create_app(container_for(load_settings(database_url=url, secret_key=SECRET, express=express)))
    ours, exclusive = APIRouter(route_class=StrictRoute), APIRouter(route_class=ExclusivePathRoute)
    add(ours, "GET", "/boxes")
    add(ours, "POST", "/boxes")
    add(exclusive, "POST", "/boxes/batch")
    ours.include_router(exclusive)
    add(ours, "GET", "/boxes/{box_id}", is_old=True)
    add(ours, "PATCH", "/boxes/{box_id}")
    add(ours, "GET", "/boxes/{box_id}/parts")
    add(ours, "GET", "/boxes/{box_id}/{part}")
    add(ours, "GET", "/people/{user_id}")
    add(ours, "PUT", "/people/me")
    add(ours, "GET", "/people/me")  # never reached: the pattern before it has the method, too
    add(ours, "PUT", "/people/me/password")
    add(ours, "DELETE", "/people/{user_id}/{part}")
    plain = APIRouter()
    add(plain, "GET", "/plain")
    add(plain, "GET", "/plain/{name}")
    late = APIRouter(route_class=StrictRoute)
    add(late, "GET", "/plain/me")  # never reached
    add(late, "POST", "/plain/me")
    for router in (ours, plain, late):
        app.include_router(router)
    app.include_router(ours, prefix="/v2")
    return app


async def no_router(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("asked for help")(scope, receive, send)


ROUTER, EXPRESS, ALONE = application("off"), application(), application("off")
ALONE.router.middleware_stack = ExpressRoutes(no_router, ALONE)


async def answer_of(app: FastAPI, method: str, path: str, **options: Any) -> Any:
    transport = httpx2.ASGITransport(app=app, **options)
    async with httpx2.AsyncClient(transport=transport, base_url="http://steward.test") as client:
        answer = await client.request(method, path)
    told = {name: answer.headers.get(name) for name in ("X-Route", "Allow", "Deprecation", "Link")}
    return answer.status_code, told, answer.text if answer.text == "asked for help" else ""


@given(st.sampled_from(METHODS), st.lists(st.sampled_from(SEGMENTS), max_size=4))
@settings(database=None, max_examples=300, deadline=None)
@example("GET", ["boxes", "batch"])
@example("PUT", ["boxes", "7"])
@example("PUT", ["people", "me"])
@example("GET", ["people", "me"])
@example("DELETE", ["people", "me", "password"])
@example("GET", ["plain", "me"])
@example("POST", ["plain", "me"])
@example("GET", ["v2", "boxes", "7"])
async def test_it_answers_as_the_router_does(method: str, segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    if path.startswith("//"):  # to a client, a host
        return
    expected = await answer_of(ROUTER, method, path)
    assert await answer_of(EXPRESS, method, path) == expected
    route = expected[1]["X-Route"]
    is_plain = route is None or "/plain" in route.removesuffix("POST /plain/me")
    if method != "OPTIONS" and path not in ("/", "/v2"):
        assert (await answer_of(ALONE, method, path))[2] == ("asked for help" if is_plain else "")


async def test_a_route_that_is_added_later_is_found_by_the_router() -> None:
    app = application()
    assert (await answer_of(app, "GET", "/boxes"))[1]["X-Route"] == "GET /boxes"
    late = APIRouter(route_class=StrictRoute)
    add(late, "GET", "/late")
    app.include_router(late)
    assert (await answer_of(app, "GET", "/late"))[1]["X-Route"] == "GET /late"


async def test_below_the_path_of_another_application_the_router_answers() -> None:
    status, _, text = await answer_of(ALONE, "GET", "/api/boxes", root_path="/api")
    assert (status, text) == (200, "asked for help")


@pytest.mark.parametrize("path", ["/{anything}/parts", "/files/{path:path}", "/numbers/{number:int}"])
async def test_what_comes_after_a_pattern_that_could_be_any_path_is_for_the_router(path: str) -> None:
    app = application("off")
    app.router.middleware_stack = ExpressRoutes(no_router, app)
    add(app, "GET", path)
    router = APIRouter(route_class=StrictRoute)
    add(router, "GET", "/after")
    app.include_router(router)
    assert (await answer_of(app, "GET", "/after"))[2] == "asked for help"
    assert (await answer_of(app, "GET", "/boxes"))[2] == ""
