"""What FastAPI documents works on an application of ours: on its own kind of route, and on ours."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, Header, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from steward.domain.actors import Actor
from steward.domain.errors import ItemNotFound
from steward.domain.items import ItemId, NewItem
from steward.domain.users import Role, UserId
from steward.entrypoints.http.app import create_app
from steward.entrypoints.http.dependencies import CurrentUnitOfWork, ReadingUnitOfWork, get_unit_of_work
from steward.entrypoints.http.requests.authentication import CurrentActor, CurrentActorOrAnonymous, get_actor
from steward.entrypoints.http.requests.idempotency import get_execution
from steward.entrypoints.http.routing.strict_route import StrictRoute
from steward.entrypoints.http.streaming import StreamedAnswer
from steward.service_layer import items
from steward.service_layer.retry import run

from tests.support.http import Api, serving
from tests.support.unchecked import is_problem, unchecked


@pytest_asyncio.fixture(scope="module", params=["auto", "off"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """With the fast way for our routes and without."""
    async with serving("sqlite+aiosqlite:///:memory:", express=request.param, max_body_size=1024) as api:
        yield api


@pytest.fixture
def api(served: Api) -> Api:
    """With an application for each test, which changes it."""
    return replace(served, app=create_app(served.container))


@pytest_asyncio.fixture
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    """Of an admin."""
    async with unchecked(api.app) as client:
        client.headers["Authorization"] = api.client.headers["Authorization"]
        yield client


@pytest.fixture(params=[StrictRoute, APIRoute])
def router(request: pytest.FixtureRequest) -> APIRouter:
    """Of routes of ours, and of FastAPI's own."""
    return APIRouter(route_class=request.param)


class Shape(BaseModel):
    name: str
    sides: int = 4


class Drawn(Shape):
    secret: str = "hidden"


async def guard() -> None:
    raise HTTPException(403, "Not for you", headers={"X-Why": "guarded"})


def is_guarded(answer: httpx2.Response) -> bool:
    return is_problem(answer, 403, "http_403") and answer.json()["detail"] == "Not for you"


async def test_dependencies_of_an_inclusion_are_enforced(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    @router.get("/shapes")
    async def get_shapes() -> Response:
        return Response()

    api.app.include_router(router)
    api.app.include_router(router, prefix="/guarded", dependencies=[Depends(guard)])
    outer = APIRouter()
    outer.include_router(router, prefix="/nested")
    api.app.include_router(outer, dependencies=[Depends(guard)])
    assert (await client.get("/shapes")).status_code == 200
    assert is_guarded(await client.get("/guarded/shapes"))
    assert is_guarded(await client.get("/nested/shapes"))


@pytest.mark.parametrize("kind", [StrictRoute, APIRoute])
async def test_dependencies_of_a_router_are_enforced(
    api: Api, client: httpx2.AsyncClient, kind: type[APIRoute]
) -> None:
    router = APIRouter(route_class=kind, dependencies=[Depends(guard)])

    @router.post("/shapes")
    async def add_shape(shape: Shape, actor: CurrentActor) -> Response:
        return Response()

    api.app.include_router(router)
    assert is_guarded(await client.post("/shapes", json={"name": "square"}))


async def test_dependencies_of_a_route_are_enforced(api: Api, client: httpx2.AsyncClient, router: APIRouter) -> None:
    @router.get("/shapes", dependencies=[Depends(guard)])
    async def get_shapes() -> Response:
        return Response()

    api.app.include_router(router)
    assert is_guarded(await client.get("/shapes"))


async def test_a_guard_may_ask_for_the_actor_and_for_parameters_of_its_own(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    async def members_alone(actor: CurrentActor, version: int) -> None:
        if actor.role is not Role.MEMBER or version < 2:
            raise HTTPException(403, "Not for you")

    @router.get("/shapes")
    async def get_shapes() -> Response:
        return Response()

    api.app.include_router(router, dependencies=[Depends(members_alone)])
    ada = await api.bearer((await api.user())["id"])
    assert (await client.get("/shapes?version=2", headers=ada)).status_code == 200
    assert is_guarded(await client.get("/shapes?version=1", headers=ada))
    assert is_guarded(await client.get("/shapes?version=2"))
    assert is_problem(await client.get("/shapes", headers=ada), 422, "invalid_request")
    assert is_problem(await client.get("/shapes", headers={"Authorization": "Bearer x"}), 401, "not_authenticated")


async def test_a_dependency_with_yield_ends_with_its_scope(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    steps: list[str] = []

    async def of_function() -> AsyncIterator[str]:
        steps.append("function begins")
        yield "function"
        steps.append("function ends")

    async def of_request() -> AsyncIterator[str]:
        steps.append("request begins")
        yield "request"
        steps.append("request ends")

    async def pieces() -> AsyncIterator[bytes]:
        steps.append("answer")
        yield b"done"

    @router.get("/shapes")
    async def get_shapes(
        request: Annotated[str, Depends(of_request)],
        function: Annotated[str, Depends(of_function, scope="function")],
    ) -> Response:
        steps.append(f"{request} and {function}")
        return StreamedAnswer(pieces(), {}, timeout=60)  # type: ignore[arg-type]

    api.app.include_router(router)
    assert (await client.get("/shapes")).text == "done"
    begin = ["request begins", "function begins", "request and function"]
    assert steps == [*begin, "function ends", "answer", "request ends"]


@pytest.mark.parametrize("scope", ["function", "request"])
async def test_a_dependency_with_yield_sees_the_error_of_its_route(
    api: Api, client: httpx2.AsyncClient, router: APIRouter, scope: Any
) -> None:
    seen: list[BaseException] = []

    async def watching() -> AsyncIterator[None]:
        try:
            yield
        except ItemNotFound as error:
            seen.append(error)
            raise

    @router.get("/shapes", dependencies=[Depends(watching, scope=scope)])
    async def get_shapes() -> Response:
        raise ItemNotFound(ItemId(7))

    api.app.include_router(router)
    assert is_problem(await client.get("/shapes"), 404, "item_not_found")
    assert len(seen) == 1


async def test_a_dependency_is_called_once_for_each_request(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    numbers = iter(range(9))

    async def number() -> int:
        return next(numbers)

    async def doubled(base: Annotated[int, Depends(number)]) -> int:
        return 2 * base

    @router.get("/shapes")
    async def get_shapes(
        one: Annotated[int, Depends(number)],
        double: Annotated[int, Depends(doubled)],
        fresh: Annotated[int, Depends(number, use_cache=False)],
    ) -> list[int]:
        return [one, double, fresh]

    api.app.include_router(router)
    assert (await client.get("/shapes")).json() == [0, 0, 1]
    assert (await client.get("/shapes")).json() == [2, 4, 3]


async def test_what_a_route_returns_is_made_an_answer(api: Api, client: httpx2.AsyncClient, router: APIRouter) -> None:
    @router.get("/model")
    async def get_model() -> Drawn:
        return Drawn(name="square")

    @router.get("/filtered", response_model=Shape)
    async def get_filtered() -> Any:
        return Drawn(name="square")

    @router.get("/dict")
    async def get_dict() -> dict[str, Any]:
        return {"name": "square"}

    @router.post("/created", status_code=201, response_model=Shape, response_model_exclude_unset=True)
    async def add(shape: Shape) -> Any:
        return shape

    @router.get("/thread")
    def get_from_a_thread(name: str = "square") -> Shape:
        return Shape(name=name)

    @router.delete("/nothing", status_code=204)
    async def delete() -> None:
        return None

    api.app.include_router(router)
    assert (await client.get("/model")).json() == {"name": "square", "sides": 4, "secret": "hidden"}
    assert (await client.get("/filtered")).json() == {"name": "square", "sides": 4}
    assert (await client.get("/dict")).json() == {"name": "square"}
    created = await client.post("/created", json={"name": "square"})
    assert (created.status_code, created.json()) == (201, {"name": "square"})
    assert (await client.get("/thread?name=circle")).json() == {"name": "circle", "sides": 4}
    gone = await client.delete("/nothing")
    assert (gone.status_code, gone.content) == (204, b"")


async def test_a_model_that_is_returned_is_in_the_document(api: Api, router: APIRouter) -> None:
    @router.get("/shapes")
    async def get_shapes(size: int = 3) -> Shape:
        return Shape(name="square")

    api.app.include_router(router)
    operation = api.app.openapi()["paths"]["/shapes"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Shape"}
    assert {each.get("name") for each in operation["parameters"]} == {"size", None}


async def test_the_document_says_of_a_route_that_it_asks_for_the_actor(api: Api, router: APIRouter) -> None:
    async def guard(actor: CurrentActor) -> None: ...

    @router.get("/mine")
    async def get_mine(actor: CurrentActor) -> str:
        return ""

    @router.get("/perhaps")
    async def get_perhaps(actor: CurrentActorOrAnonymous) -> str:
        return ""

    @router.get("/open")
    async def get_open() -> str:
        return ""

    api.app.include_router(router)
    api.app.include_router(router, prefix="/guarded", dependencies=[Depends(guard)])
    paths = api.app.openapi()["paths"]
    assert {path: paths[path]["get"]["security"] for path in ("/mine", "/perhaps", "/open", "/guarded/open")} == {
        "/mine": [{"OAuth2": []}],
        "/perhaps": [{}, {"OAuth2": []}],
        "/open": [],
        "/guarded/open": [{"OAuth2": []}],
    }


async def test_a_route_takes_what_fastapi_gives(api: Api, client: httpx2.AsyncClient, router: APIRouter) -> None:
    done: list[str] = []

    async def answers_too(response: Response, tasks: BackgroundTasks) -> None:
        response.headers["X-Seen"] = "yes"
        tasks.add_task(done.append, "task")

    @router.post("/shapes/{name}", dependencies=[Depends(answers_too)])
    async def add_shape(
        name: str,
        request: Request,
        tags: Annotated[list[str], Query()],
        colour: Annotated[str, Header()],
        taste: Annotated[str, Cookie()],
        sides: Annotated[int, Body(embed=True)],
        key: Annotated[str, Depends(APIKeyHeader(name="X-Key"))],
    ) -> list[Any]:
        return [name, request.method, tags, colour, taste, sides, key]

    api.app.include_router(router)
    client.cookies["taste"] = "sweet"
    headers = {"Colour": "red", "X-Key": "k"}
    answer = await client.post("/shapes/square?tags=a&tags=b", json={"sides": 4}, headers=headers)
    assert answer.json() == ["square", "POST", ["a", "b"], "red", "sweet", 4, "k"]
    assert (answer.headers["X-Seen"], done) == ("yes", ["task"])


class Stamping:
    """What somebody adds around the application."""

    def __init__(self, app: ASGIApp, *, text: str) -> None:
        self._app, self._text = app, text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def stamping(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-stamp", self._text.encode())]}
            await send(message)

        await self._app(scope, receive, stamping)


async def test_a_middleware_that_is_added_sees_every_answer(api: Api, client: httpx2.AsyncClient) -> None:
    api.app.add_middleware(Stamping, text="seen")
    for path in ("/livez", "/items", "/nowhere"):
        assert (await client.get(path)).headers["X-Stamp"] == "seen"


async def test_a_body_is_not_larger_than_the_application_allows(api: Api, client: httpx2.AsyncClient) -> None:
    api.app.max_body_size = 40
    assert (await client.post("/items", json={"name": "Box"})).status_code == 201
    assert (await client.post("/items", json={"name": "Box" * 40})).status_code == 413


async def test_a_body_is_not_larger_than_a_route_or_an_inclusion_allows(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    @router.post("/shapes", max_body_size=40)
    async def add_shape(shape: Shape) -> Response:
        return Response()

    @router.post("/drawn")
    async def add_drawn(shape: Shape) -> Response:
        return Response()

    api.app.include_router(router, max_body_size=60)
    for path, size in (("/shapes", 40), ("/drawn", 60)):
        for many, status in ((0, 200), (size, 413)):
            assert (await client.post(path, json={"name": "x" * many})).status_code == status


async def test_a_dependency_is_overridden(api: Api, client: httpx2.AsyncClient, router: APIRouter) -> None:
    async def colour() -> str:
        return "red"

    async def other(shade: str = "dark") -> str:
        return f"{shade} blue"

    @router.get("/colour")
    async def get_colour(colour: Annotated[str, Depends(colour)]) -> str:
        return colour

    api.app.include_router(router)
    assert (await client.get("/colour")).json() == "red"
    api.app.dependency_overrides[colour] = other
    assert (await client.get("/colour?shade=light")).json() == "light blue"
    api.app.dependency_overrides.clear()
    assert (await client.get("/colour")).json() == "red"


async def test_who_asks_is_overridden_on_our_routes(api: Api) -> None:
    ada = await api.user()

    async def always_ada() -> Actor:
        return Actor(UserId(ada["id"]), Role.MEMBER)

    api.app.dependency_overrides[get_actor] = always_ada
    async with unchecked(api.app) as client:
        assert (await client.get("/users/me")).json() == ada
        made = await client.post("/items", json={"name": "Box"})
        assert (made.status_code, made.json()["owner_id"]) == (201, ada["id"])


async def test_what_needs_the_actor_is_overridden_on_our_routes(api: Api) -> None:
    async def execute(use_case: object, **_: object) -> Response:
        return Response(f"instead of {getattr(use_case, '__name__', '')}")

    api.app.dependency_overrides[get_execution] = lambda: execute
    async with unchecked(api.app) as client:
        assert (await client.post("/items", json={"name": "Box"})).text == "instead of create_item"


async def test_the_unit_of_work_is_overridden_on_our_routes(api: Api, client: httpx2.AsyncClient) -> None:
    async def broken() -> None:
        raise HTTPException(503, "Closed today")

    api.app.dependency_overrides[get_unit_of_work] = broken
    for path in ("/items", "/items/1"):
        assert is_problem(await client.get(path), 503, "http_503")


async def test_a_route_takes_the_actor_and_the_unit_of_work_and_commits(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    @router.post("/boxes")
    async def add_box(uow: CurrentUnitOfWork, actor: CurrentActor) -> dict[str, int]:
        async with uow:
            assert actor.user_id is not None
            (item,) = await uow.items.add_many([NewItem.of(owner_id=actor.user_id, name="Box")], at=uow.now)
            await uow.commit()
        return {"id": item}

    @router.get("/boxes/{box_id}")
    async def get_box(box_id: int, uow: ReadingUnitOfWork, actor: CurrentActor) -> str:
        return (await run(uow, items.get_item, actor, item_id=ItemId(box_id))).name

    @router.get("/names/{box_id}")
    async def get_name(box_id: int, actor: CurrentActor, uow: ReadingUnitOfWork) -> str:
        return (await run(uow, items.get_item, actor, item_id=ItemId(box_id))).name

    @router.get("/whoever")
    async def get_whoever(actor: CurrentActorOrAnonymous) -> int | None:
        return actor.user_id

    @router.get("/both")
    async def get_both(_: CurrentActorOrAnonymous, actor: CurrentActor) -> int | None:
        return actor.user_id

    api.app.include_router(router)
    made = await client.post("/boxes")
    box_id = made.json()["id"]
    assert (await api.client.get(f"/items/{box_id}")).json()["name"] == "Box"
    assert (await client.get(f"/boxes/{box_id}")).json() == "Box"
    assert (await client.get(f"/names/{box_id}")).json() == "Box"
    assert is_problem(await client.get("/boxes/4711"), 404, "item_not_found")
    assert (await client.get("/whoever")).json() == 1
    for path in ("/boxes/1", "/both"):
        wrong = {"Authorization": "Bearer rubbish"}
        assert is_problem(await client.get(path, headers=wrong), 401, "not_authenticated")
    del client.headers["Authorization"]
    for answer in (await client.post("/boxes"), await client.get("/boxes/1"), await client.get("/both")):
        assert is_problem(answer, 401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="steward"'
    assert (await client.get("/whoever")).json() is None


async def test_who_asked_on_a_route_of_somebody_else_is_not_asked_again(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    """One checkout of a connection for the token and what is read."""
    held: list[int] = []

    @router.get("/boxes")
    async def get_boxes(uow: ReadingUnitOfWork, actor: CurrentActor) -> int:
        held.append(api.database.checked_out())
        return 1

    @router.get("/streamed")
    async def get_streamed(uow: ReadingUnitOfWork, actor: CurrentActor) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            held.append(api.database.checked_out())
            yield b"[]"

        return StreamedAnswer(pieces(), {}, timeout=60)  # type: ignore[arg-type]

    api.app.include_router(router)
    assert (await client.get("/boxes")).status_code == 200
    assert (await client.get("/streamed")).text == "[]"
    assert held == [1, 0]  # a stream never holds the block


@pytest.mark.parametrize("status", [400, 402, 404, 405, 409, 418, 499, 500, 503])
async def test_an_http_exception_keeps_its_status_its_detail_and_its_headers(
    api: Api, client: httpx2.AsyncClient, router: APIRouter, status: int
) -> None:
    @router.get("/shapes")
    async def get_shapes() -> None:
        raise HTTPException(status, "Because", headers={"X-Why": "because"})

    api.app.include_router(router)
    answer = await client.get("/shapes")
    assert is_problem(answer, status, f"http_{status}")
    assert answer.headers["X-Why"] == "because"
    problem = answer.json()
    assert (problem["type"], problem["detail"], problem["instance"]) == ("about:blank", "Because", "/shapes")
    assert problem["title"] == {499: "Status 499", 418: "I'm a Teapot"}.get(status, problem["title"])
    assert is_problem(await client.get("/nowhere"), 404, "route_not_found")
    assert is_problem(await client.put("/shapes"), 405, "method_not_allowed")


async def test_the_detail_of_an_http_exception_may_be_anything(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    @router.get("/shapes")
    async def get_shapes() -> None:
        raise HTTPException(409, {"sides": [Shape(name="square")]})

    @router.get("/unchanged")
    async def get_unchanged() -> None:
        raise HTTPException(304)

    api.app.include_router(router)
    assert (await client.get("/shapes")).json()["detail"] == '{"sides":[{"name":"square","sides":4}]}'
    unchanged = await client.get("/unchanged")
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_an_http_exception_after_a_commit_does_not_say_that_nothing_was_stored(
    api: Api, client: httpx2.AsyncClient, router: APIRouter
) -> None:
    @router.post("/boxes")
    async def add_box(status: int, uow: CurrentUnitOfWork) -> None:
        async with uow:
            await uow.items.add_many([NewItem.of(owner_id=UserId(1), name="Box")], at=uow.now)
            await uow.commit()
        raise HTTPException(status)

    api.app.include_router(router)
    assert is_problem(await client.post("/boxes?status=503"), 500, "failed_after_commit")
    assert is_problem(await client.post("/boxes?status=404"), 404, "http_404")


async def test_a_handler_that_is_added_answers(api: Api, client: httpx2.AsyncClient, router: APIRouter) -> None:
    @api.app.exception_handler(ZeroDivisionError)
    async def answer(request: Request, error: Exception) -> Response:
        return Response("divided", 418)

    @router.get("/shapes")
    async def get_shapes() -> None:
        raise ZeroDivisionError

    api.app.include_router(router)
    assert (await client.get("/shapes")).text == "divided"


async def test_what_a_route_takes_besides_is_refused_by_ours(api: Api, client: httpx2.AsyncClient) -> None:
    router = APIRouter(route_class=StrictRoute)

    @router.post("/shapes")
    async def add_shape(shape: Shape, size: int = 3) -> Shape:
        return shape

    api.app.include_router(router, prefix="/v2")
    faults = (await client.post("/v2/shapes?size=x&colour=red", json={"name": 7})).json()["errors"]
    assert [(each.get("parameter", each.get("pointer")), each["code"]) for each in faults] == [
        ("colour", "unknown_parameter"),
        ("size", "int_parsing"),
        ("/name", "string_type"),
    ]
    assert is_problem(await client.post("/v2/shapes", content=b"{}"), 415, "unsupported_media_type")
    assert is_problem(await client.post("/v2/shapes", json={"name": "x" * 1024}), 413, "body_too_large")


async def test_a_generator_is_no_endpoint_of_ours() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(TypeError, match="generator"):
        StrictRoute("/pieces", pieces)
