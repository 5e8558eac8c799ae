"""What an endpoint is given comes from the request as FastAPI would find it."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Body, Cookie, Depends, Header, Query, Request, Response
from fastapi.dependencies.utils import get_dependant
from pydantic import BaseModel, Field
from steward.entrypoints.http.requests.json_body import NO_BODY
from steward.entrypoints.http.routing.arguments import Arguments
from steward.entrypoints.http.routing.strict_route import StrictRoute


class Box(BaseModel):
    weight: Annotated[int, Field(ge=1)]


async def box(body: Box) -> None: ...


called: list[str] = []


async def root(request: Request) -> str:
    called.append("root")
    return f"root of {request.scope['path']}"


async def left(base: Annotated[str, Depends(root)], size: Annotated[int, Query(le=9)] = 3) -> str:
    called.append("left")
    return f"{base}, left {size}"


async def right(base: Annotated[str, Depends(root)]) -> str:
    called.append("right")
    return f"{base}, right"


async def above(under: Annotated[str, Depends(left)]) -> str:
    called.append("above")
    return under


async def endpoint(
    thing: int,
    body: Box,
    request: Request,
    one: Annotated[str, Depends(above)],
    other: Annotated[str, Depends(right)],
    colour: Annotated[str, Query(max_length=5)],
    shade: str | None = None,
) -> None: ...


async def find(
    query: dict[str, str], *, thing: str = "7", body: object = NO_BODY, overrides: dict[Any, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The arguments of `endpoint`, and what is wrong, and where."""
    called.clear()
    request = Request({"type": "http", "path": "/things", "path_params": {"thing": thing}})
    arguments = Arguments(get_dependant(path="/things/{thing}", call=endpoint), overrides)
    given, errors = await arguments.find(request, query, body)
    given.pop("request", None)
    return given, [f"{error['type']} {'.'.join(error['loc'])}" for error in errors]


async def test_an_endpoint_is_given_what_it_asks_for() -> None:
    given, wrong = await find({"colour": "red", "size": "5"}, body={"weight": 4})
    assert wrong == []
    assert given == {
        "thing": 7,
        "body": Box(weight=4),
        "one": "root of /things, left 5",
        "other": "root of /things, right",
        "colour": "red",
        "shade": None,
    }


async def test_a_dependency_is_called_once_and_before_those_that_depend_on_it() -> None:
    await find({"colour": "red"}, body={"weight": 4})
    assert called == ["root", "left", "above", "right"]


async def test_all_that_is_wrong_is_told_dependencies_first_then_path_query_and_body() -> None:
    _, wrong = await find({"size": "10", "colour": "purple"}, thing="x", body={"weight": 0})
    assert wrong == [
        "less_than_equal query.size",
        "int_parsing path.thing",
        "string_too_long query.colour",
        "greater_than_equal body.weight",
    ]


async def test_what_is_required_and_missing_is_wrong() -> None:
    _, wrong = await find({})
    assert wrong == ["missing query.colour", "missing body"]
    _, wrong = await find({"shade": "dark"}, body=None)
    assert wrong == ["missing query.colour", "model_attributes_type body"]


async def test_a_dependency_is_not_called_with_what_is_wrong_nor_is_what_depends_on_it() -> None:
    await find({"colour": "red", "size": "10"}, body={"weight": 4})
    assert called == ["root", "right"]


async def test_another_dependency_is_called_instead_with_what_it_asks_for() -> None:
    async def instead(thing: int, length: int = 2) -> str:
        return f"instead {thing + length}"

    given, wrong = await find({"colour": "red", "length": "5"}, body={"weight": 4}, overrides={left: instead})
    assert (wrong, given["one"]) == ([], "instead 12")
    assert called == ["above", "root", "right"]


def in_a_thread() -> str:
    return ""


async def closed_after_the_answer() -> AsyncIterator[str]:
    yield ""


async def takes_sync(it: Annotated[str, Depends(in_a_thread)]) -> None: ...
async def takes_generator(it: Annotated[str, Depends(closed_after_the_answer)]) -> None: ...
async def takes_header(it: Annotated[str, Header()]) -> None: ...
async def takes_cookie(it: Annotated[str, Cookie()]) -> None: ...
async def takes_tasks(it: BackgroundTasks) -> None: ...
async def takes_response(it: Response) -> None: ...
async def takes_list(it: Annotated[list[str], Query()]) -> None: ...
async def takes_model(it: Annotated[Box, Query()]) -> None: ...
async def takes_embedded(it: Annotated[Box, Body(embed=True)]) -> None: ...
async def takes_two_bodies(it: Box, other: Box) -> None: ...
async def takes_bodies_of_two(it: Box, other: Annotated[None, Depends(box)]) -> None: ...
async def takes_body_or_none(it: Box | None = None) -> None: ...


@pytest.mark.parametrize(
    "wrong",
    [
        in_a_thread,
        takes_sync,
        takes_generator,
        takes_header,
        takes_cookie,
        takes_tasks,
        takes_response,
        takes_list,
        takes_model,
        takes_embedded,
        takes_two_bodies,
        takes_bodies_of_two,
        takes_body_or_none,
    ],
)
def test_what_no_route_is_given_is_refused_when_the_route_is_made(wrong: Callable[..., Any]) -> None:
    with pytest.raises(TypeError):
        StrictRoute("/things", wrong, methods=["POST"])
