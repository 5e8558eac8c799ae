"""The fast way finds the arguments that FastAPI finds, or leaves them to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal

import httpx2
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    File,
    Header,
    Path,
    Query,
    Request,
    Response,
    Security,
)
from fastapi.security import APIKeyHeader
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, Field
from steward.bootstrap import container_for
from steward.config import load_settings
from steward.entrypoints.http.answers import JsonAnswer
from steward.entrypoints.http.app import create_app
from steward.entrypoints.http.express.arguments import Arguments, NotPlain
from steward.entrypoints.http.routing.strict_route import StrictRoute

from tests.support.steward_server import SECRET


class Box(BaseModel):
    weight: Annotated[int, Field(ge=1)]


called: list[str] = []


async def root(request: Request) -> str:
    called.append("root")
    return f"root of {request.url.path}"


async def left(base: Annotated[str, Depends(root)], size: Annotated[int, Query(le=9)] = 3) -> AsyncIterator[str]:
    called.append("left")
    yield f"{base}, left {size}"
    called.append("left ends")


async def right(base: Annotated[str, Depends(root)]) -> str:
    called.append("right")
    return f"{base}, right"


async def above(under: Annotated[str, Depends(left, scope="function")]) -> str:
    called.append("above")
    return under


async def nameless(level: Literal["low", "high"] = "low") -> None:
    called.append(f"nameless {level}")


Flag = Annotated[bool, BeforeValidator(lambda value: value == "yes"), Query(description="yes or no")]


async def add_box(
    thing: int,
    body: Box,
    request: Request,
    one: Annotated[str, Depends(above)],
    other: Annotated[str, Depends(right)],
    colour: Annotated[str, Query(max_length=5, alias="color")],
    flag: Flag = False,
    shade: str | None = None,
) -> Response:
    called.append("endpoint")
    return JsonAnswer([thing, body.weight, request.method, one, other, colour, flag, shade])


def application(express: str) -> FastAPI:
    url = "sqlite+aiosqlite:///:memory:"
    app = create_app(container_for(load_settings(database_url=url, secret_key=SECRET, express=express)))
    router = APIRouter(route_class=StrictRoute)
    router.add_api_route("/things/{thing}", add_box, methods=["POST"])
    app.include_router(router, dependencies=[Depends(nameless)])
    return app


BY_FASTAPI, EXPRESS = application("off"), application("auto")


async def answer_of(app: FastAPI, thing: str, query: dict[str, str], body: str | None) -> Any:
    called.clear()
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://steward.test") as client:
        headers = {"Content-Type": "application/json", "X-Request-ID": "same"}
        answer = await client.post(f"/things/{thing}", params=query, content=body, headers=headers)
    return answer.status_code, answer.json(), list(called)


@given(
    thing=st.sampled_from(["7", "x"]),
    query=st.dictionaries(
        st.sampled_from(["color", "colour", "size", "flag", "shade", "level"]),
        st.sampled_from(["red", "purple", "7", "10", "yes", "high", ""]),
    ),
    body=st.sampled_from([None, '{"weight": 4}', '{"weight": 0}', "{}", "null", "[]", '{"weight": "x"}', "{"]),
)
@settings(database=None, max_examples=400, deadline=None)
async def test_a_request_is_answered_as_by_fastapi(thing: str, query: dict[str, str], body: str | None) -> None:
    assert await answer_of(EXPRESS, thing, query, body) == await answer_of(BY_FASTAPI, thing, query, body)


async def test_a_dependency_is_called_once_before_those_that_depend_on_it_and_ends_after_the_endpoint() -> None:
    status, content, steps = await answer_of(EXPRESS, "7", {"color": "red", "flag": "yes"}, '{"weight": 4}')
    base = "root of /things/7"
    assert (status, content) == (200, [7, 4, "POST", f"{base}, left 3", f"{base}, right", "red", True, None])
    assert steps == ["nameless low", "root", "left", "above", "right", "endpoint", "left ends"]


def in_a_thread() -> str:
    return ""


def generated_in_a_thread() -> Iterator[str]:
    yield ""


async def until_the_answer_is_sent() -> AsyncIterator[str]:
    yield ""


async def with_body(body: Box) -> None: ...
async def takes_sync(it: Annotated[str, Depends(in_a_thread)]) -> Response: ...  # type: ignore[empty-body]
async def takes_sync_generator(it: Annotated[str, Depends(generated_in_a_thread, scope="function")]) -> Response: ...  # type: ignore[empty-body]
async def takes_generator(it: Annotated[str, Depends(until_the_answer_is_sent)]) -> Response: ...  # type: ignore[empty-body]
async def takes_fresh(it: Annotated[str, Depends(root, use_cache=False)]) -> Response: ...  # type: ignore[empty-body]
async def takes_default(it: str = Depends(root)) -> Response: ...  # type: ignore[empty-body]
async def takes_query_default(it: str = Query()) -> Response: ...  # type: ignore[empty-body]
async def takes_security(it: Annotated[str, Security(root)]) -> Response: ...  # type: ignore[empty-body]
async def takes_object(it: Annotated[str, Depends(APIKeyHeader(name="key"))]) -> Response: ...  # type: ignore[empty-body]
async def takes_header(it: Annotated[str, Header()]) -> Response: ...  # type: ignore[empty-body]
async def takes_cookie(it: Annotated[str, Cookie()]) -> Response: ...  # type: ignore[empty-body]
async def takes_file(it: Annotated[bytes, File()]) -> Response: ...  # type: ignore[empty-body]
async def takes_path_elsewhere(thing: Annotated[str, Path(alias="other")]) -> Response: ...  # type: ignore[empty-body]
async def takes_tasks(it: BackgroundTasks) -> Response: ...  # type: ignore[empty-body]
async def takes_response(it: Response) -> Response: ...  # type: ignore[empty-body]
async def takes_list(it: Annotated[list[str], Query()]) -> Response: ...  # type: ignore[empty-body]
async def takes_model(it: Annotated[Box, Query()]) -> Response: ...  # type: ignore[empty-body]
async def takes_embedded(it: Annotated[Box, Body(embed=True)]) -> Response: ...  # type: ignore[empty-body]
async def takes_two_bodies(it: Box, other: Box) -> Response: ...  # type: ignore[empty-body]
async def takes_bodies_of_two(it: Box, other: Annotated[None, Depends(with_body)]) -> Response: ...  # type: ignore[empty-body]
async def takes_body_or_none(it: Box | None = None) -> Response: ...  # type: ignore[empty-body]
async def returns_a_model() -> Box: ...  # type: ignore[empty-body]
async def does_not_say(): ...  # type: ignore[no-untyped-def]  # noqa: ANN201


@pytest.mark.parametrize(
    "endpoint",
    [
        *(takes_sync, takes_sync_generator, takes_generator, takes_fresh, takes_default, takes_query_default),
        *(takes_security, takes_object, takes_header, takes_cookie, takes_file, takes_path_elsewhere, takes_tasks),
        *(takes_response, takes_list, takes_model, takes_embedded, takes_two_bodies, takes_bodies_of_two),
        *(takes_body_or_none, returns_a_model, does_not_say),
    ],
)
def test_what_is_not_plain_is_left_to_fastapi(endpoint: Callable[..., Any]) -> None:
    with pytest.raises(NotPlain):
        Arguments(endpoint, [], {"thing"})
