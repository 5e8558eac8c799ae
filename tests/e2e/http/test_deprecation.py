"""A deprecated route says so in every answer (RFC 9745, RFC 8594). None is today, so the routes here are the test's."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Annotated, Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI, Query
from starlette.responses import Response
from steward.entrypoints.http.answers import JsonAnswer
from steward.entrypoints.http.openapi.documentation import answers, problems
from steward.entrypoints.http.requests.authentication import CurrentActor
from steward.entrypoints.http.requests.fields import TextId
from steward.entrypoints.http.routing.deprecation import deprecated
from steward.entrypoints.http.routing.strict_route import StrictRoute
from steward.entrypoints.http.schemas import Health

from tests.support.http import serving
from tests.support.steward_server import StewardServer
from tests.support.unchecked import unchecked

NEW_YEAR, LONG_AGO = date(2027, 1, 1), date(2020, 1, 1)

router = APIRouter(prefix="/old", tags=["operations"], route_class=StrictRoute)


@router.get("/things/{name}", operation_id="get_old_thing", responses=answers(Health, "It") | problems(database=False))
@deprecated(
    since=NEW_YEAR, sunset=date(2027, 7, 1), successor="/new/things/{name}", explained_at="https://steward.example/old"
)
async def get_old_thing(name: str, page: Annotated[str | None, Query(description="Which")] = None) -> Response:
    """What things were."""
    if name == "broken":
        raise RuntimeError
    return JsonAnswer({"status": "ok"}, headers={} if page is None else {"Link": '</old/things/8>; rel="next"'})


@router.delete("/things/{name}", operation_id="delete_old_thing", responses=problems(database=False))
async def delete_old_thing(name: str) -> Response:
    return Response(status_code=204)


@router.get("/own/{item_id}", operation_id="get_own_old_thing", responses=problems(database=False))
@deprecated(since=LONG_AGO, sunset=LONG_AGO + timedelta(1))
async def get_own_old_thing(item_id: TextId, actor: CurrentActor) -> Response:
    return Response(status_code=204)


@pytest_asyncio.fixture(scope="module")
async def app() -> AsyncIterator[FastAPI]:
    async with serving("sqlite+aiosqlite:///:memory:", cors_origins="https://app.example") as api:
        api.app.include_router(router)
        api.app.openapi_schema = None
        yield api.app


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with unchecked(app) as client:
        yield client


async def test_every_answer_says_since_when_until_when_and_what_comes_instead(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/old/things/7")
    assert answer.status_code == 200
    assert answer.headers["Deprecation"] == "@1798761600"
    assert answer.headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert answer.headers.get_list("Link") == [
        '<https://steward.example/old>; rel="deprecation sunset"; type="text/html"',
        '</new/things/7>; rel="successor-version"',
    ]


async def test_a_link_that_the_answer_has_stays(client: httpx2.AsyncClient) -> None:
    links = (await client.get("/old/things/7?page=1")).links
    assert links["next"]["url"] == "/old/things/8"
    assert links["successor-version"]["url"] == "/new/things/7"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/old/things/7?nonsense=1", 422), ("/old/own/7", 401), ("/old/own/x", 401), ("/old/things/broken", 500)],
)
async def test_problems_say_so_too(client: httpx2.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["Deprecation"].startswith("@")
    assert "Sunset" in answer.headers


async def test_the_path_of_the_successor_is_written_as_it_has_to_be(client: httpx2.AsyncClient) -> None:
    links = (await client.get("/old/things/%22%3E%3B%20%C3%A9%0DX-Evil%3A%201")).headers.get_list("Link")
    assert links[1] == '</new/things/%22%3E%3B%20%C3%A9%0DX-Evil%3A%201>; rel="successor-version"'


async def test_without_a_successor_or_an_explanation_there_is_no_link(client: httpx2.AsyncClient) -> None:
    assert "Link" not in (await client.get("/old/own/7")).headers


async def test_another_method_of_the_path_is_not_deprecated(client: httpx2.AsyncClient) -> None:
    for answer in [await client.delete("/old/things/7"), await client.put("/old/things/7"), await client.get("/livez")]:
        assert not {"Deprecation", "Sunset"} & answer.headers.keys()


async def test_it_works_as_before_when_the_sunset_is_over(app: FastAPI) -> None:
    async with serving("sqlite+aiosqlite:///:memory:") as api:
        api.app.include_router(router)
        async with unchecked(api.app) as client:
            answer = await client.get("/old/own/7", headers={"Authorization": api.client.headers["Authorization"]})
    assert answer.status_code == 204
    assert answer.headers["Sunset"] == "Thu, 02 Jan 2020 00:00:00 GMT"


async def test_scripts_of_the_web_may_read_it(client: httpx2.AsyncClient) -> None:
    exposed = (await client.get("/old/things/7", headers={"Origin": "https://app.example"})).headers
    assert {"Deprecation", "Sunset", "Link"} <= set(exposed["Access-Control-Expose-Headers"].split(", "))


async def test_the_document_says_so_of_the_operation_and_of_its_answers(app: FastAPI) -> None:
    paths: dict[str, Any] = app.openapi()["paths"]
    old, other = paths["/old/things/{name}"]["get"], paths["/old/things/{name}"]["delete"]
    assert old["deprecated"] is True
    assert old["description"] == (
        "What things were.\n\nDeprecated since 2027-01-01. It may be gone from 2027-07-01 on. "
        "Use `/new/things/{name}` instead. See <https://steward.example/old>."
    )
    for response in old["responses"].values():
        assert {"Deprecation", "Sunset", "Link"} <= response["headers"].keys()
    assert "deprecated" not in other
    assert not any("Deprecation" in response["headers"] for response in other["responses"].values())


def test_a_sunset_comes_no_earlier_than_the_deprecation() -> None:
    with pytest.raises(ValueError, match="sunset"):
        deprecated(since=NEW_YEAR, sunset=NEW_YEAR - timedelta(1))
    deprecated(since=NEW_YEAR, sunset=NEW_YEAR)


class DeprecatingServer(StewardServer):
    module = ("tests.e2e.http.deprecating_server",)


def test_a_server_process_says_so_in_each_answer_of_the_route_and_in_no_other(sqlite_url: str) -> None:
    with DeprecatingServer(sqlite_url) as server:
        server.sign_in()
        told = {}
        for path, headers in (
            ("/old/items/7", {}),
            ("/old/items/7?nonsense=1", {}),
            ("/old/items/7", {"Authorization": "Bearer nobody"}),
            ("/items?limit=1", {}),
        ):
            answer = server.client.get(path, headers=headers)
            told[answer.status_code] = [answer.headers.get(name) for name in ("Deprecation", "Sunset", "Link")]
    old = ["@1798761600", "Thu, 01 Jul 2027 00:00:00 GMT", '</items/7>; rel="successor-version"']
    assert told == {204: old, 422: old, 401: old, 200: [None] * 3}
