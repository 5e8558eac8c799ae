"""Every operation, asked for by everybody: the matrix, row by row."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi.routing import iter_route_contexts

from tests.e2e.http.callers import answer_of, given_scene, send, stored
from tests.e2e.http.matrix import BAD_TOKENS, CLOSED, MATRIX, SIGNED_IN, Row, markdown
from tests.support.http import Api, serving
from tests.support.statements import counted

SECURITY = Path(__file__).parents[3] / "docs" / "security.md"


# What becomes of a token does not depend on what it is sent with: of the bad ones, each row sees one.
BAD_TOKEN = "logged out"
SEE_THEM_ALL = [row for row in MATRIX if row.call in ("GET /items/{item}", "PATCH /items/{item}", "POST /items/import")]


def cells(*answers: str, callers: Sequence[str], rows: Sequence[Row] = MATRIX) -> list[Any]:
    """Of each row, the callers whose answer begins so."""
    return [
        pytest.param(row, caller, id=f"{row.name} by {caller}")
        for row in rows
        for caller in callers
        if row.expected(caller).startswith(answers)
    ]


OPEN_TO_ALL = [row for row in MATRIX if not row.asks_for_token]
OTHERS = [row for row in MATRIX if row.asks_for_token]
SERVED = [
    *cells("2", callers=("anonymous", BAD_TOKEN), rows=OPEN_TO_ALL),
    *cells("2", callers=("anonymous", *SIGNED_IN), rows=OTHERS),
]
REFUSED = [*cells("4", callers=SIGNED_IN), *cells("4", callers=tuple(BAD_TOKENS), rows=SEE_THEM_ALL)]
STRANGERS = cells("401", callers=("anonymous", BAD_TOKEN), rows=[row for row in OTHERS if row.note != CLOSED])


@pytest_asyncio.fixture(scope="module")
async def closed(url_of_module: str) -> AsyncIterator[Api]:
    """On the same database, while registration is closed."""
    async with serving(url_of_module, registration="closed") as api:
        yield api


@pytest.fixture
def asked(row: Row, url_of_module: str, request: pytest.FixtureRequest) -> Api:
    """The application that the row is about."""
    api: Api = request.getfixturevalue("closed" if row.note == CLOSED else "api")
    return api


@pytest.mark.parametrize(("row", "caller"), SERVED)
async def test_whoever_may_is_served(asked: Api, row: Row, caller: str) -> None:
    scene, headers = await given_scene(asked, caller)
    before = await stored(asked.database)
    answer = await send(asked, row, scene, headers)
    assert answer_of(answer) == row.expected(caller)
    assert row.method != "GET" or await stored(asked.database) == before


@pytest.mark.parametrize(("row", "caller"), REFUSED)
async def test_whoever_may_not_is_refused_and_changes_nothing(asked: Api, row: Row, caller: str) -> None:
    await assert_refused(asked, row, caller)


@pytest.mark.parametrize(("row", "caller"), STRANGERS)
async def test_whoever_is_nobody_is_refused_and_changes_nothing(edge: Api, row: Row, caller: str) -> None:
    await assert_refused(edge, row, caller)


async def assert_refused(asked: Api, row: Row, caller: str) -> None:
    scene, headers = await given_scene(asked, caller)
    before = await stored(asked.database)
    answer = await send(asked, row, scene, headers)
    assert answer_of(answer) == row.expected(caller)
    if row.method == "GET":
        assert (await send(asked, row, scene, headers, method="HEAD")).status_code == answer.status_code
    assert await stored(asked.database) == before


@pytest.mark.parametrize(("row", "caller"), cells("404", "422", callers=SIGNED_IN))
async def test_what_is_not_yours_is_answered_as_what_does_not_exist(asked: Api, row: Row, caller: str) -> None:
    scene, headers = await given_scene(asked, caller)
    nothing = scene.without_what_is_not_of(caller)
    with counted(asked.database) as cost_of_theirs:
        theirs = await send(asked, row, scene, headers)
    with counted(asked.database) as cost_of_nobodys:
        nobodys = await send(asked, row, nothing, headers)
    assert cost_of_theirs.sent == cost_of_nobodys.sent
    assert _without_ids(theirs) == _without_ids(nobodys)
    assert theirs.status_code == nobodys.status_code
    assert theirs.headers.keys() == nobodys.headers.keys()


def _without_ids(answer: httpx2.Response) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    del problem["request_id"]
    for told in (problem, *problem.get("errors", ())):
        told["detail"] = re.sub(r"\d+", "N", told["detail"])
    return problem | {"instance": re.sub(r"\d+", "N", problem["instance"])}


async def test_a_list_of_items_holds_the_callers_alone_and_an_admins_holds_all(api: Api) -> None:
    async def listed(caller: str) -> list[str]:
        scene, headers = await given_scene(api, caller)
        rows = (await api.anonymous.get("/items", headers=headers)).json()["data"]
        return [{scene.owner: "owner", scene.other: "other"}[row["owner_id"]] for row in rows]

    assert await listed("owner") == ["owner"]
    assert await listed("other") == ["other"]
    assert await listed("admin") == ["other", "owner"]


async def test_a_list_of_sessions_holds_the_callers_alone(api: Api) -> None:
    async def listed(caller: str) -> list[bool]:
        """Which of them is the one that asks."""
        _, headers = await given_scene(api, caller)
        rows = (await api.anonymous.get("/auth/sessions", headers=headers)).json()["data"]
        return [row["current"] for row in rows]

    assert await listed("owner") == [True, False]
    assert await listed("other") == [True]
    assert await listed("admin") == [True]


def test_no_operation_is_missing_from_the_matrix_and_none_is_too_many(edge: Api) -> None:
    documented = {(method, path): operation["operationId"] for method, path, operation in edge.document.operations()}
    routes = {
        (method, str(context.path))
        for context in iter_route_contexts(edge.app.routes)
        for method in context.methods or ()
        if method != "HEAD"
    }
    assert documented.keys() <= routes
    assert {row.operation for row in MATRIX} == {documented.get(route, route[1]) for route in routes}


def test_the_matrix_asks_for_a_token_where_the_document_does(edge: Api) -> None:
    documented = {
        operation["operationId"]: bool(operation["security"]) for _, _, operation in edge.document.operations()
    }
    assert {row.operation: row.asks_for_token for row in MATRIX if row.operation in documented} == documented


def test_the_guide_shows_the_matrix() -> None:
    section = SECURITY.read_text(encoding="utf-8").partition("## Who may do what\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    assert table == list(markdown()), "docs/security.md has to show:\n" + "\n".join(markdown())
