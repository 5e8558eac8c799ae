"""No answer says that nothing was stored when something was."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.middleware import Middleware
from steward.client import Client, ProblemError

from tests.support.http import Api, problem_of, serving
from tests.support.steward_server import ADMIN_PASSWORD, StewardServer
from tests.support.unchecked import unchecked

from .breaking import break_commits, break_writes
from .careless_server import FailsWhenAnswered, router
from .operations import READING, REPEATABLE, WRITING, Scene, scene_on

FAILED_AFTER_COMMIT = (500, "failed_after_commit")


@pytest_asyncio.fixture
async def careless(server_url: str) -> AsyncIterator[Api]:
    async with serving(server_url, with_bugs=True, rate_limits=True) as api:
        # The innermost: between the routes and the answers for errors.
        api.app.user_middleware.append(Middleware(FailsWhenAnswered))
        api.app.middleware_stack = None  # it is built anew at the next request
        api.app.include_router(router)
        await api.item(1)
        yield api


async def everything(api: Api, scene: Scene | None = None) -> list[Any]:
    """What is stored, but for the bookkeeping."""
    found = [(await api.client.get(path)).json() for path in ("/users?limit=200", "/items?limit=200")]
    if scene is not None:  # who may have signed out
        found.append((await api.client.get("/auth/sessions", headers=scene.as_ada)).text)
    return found


async def post(api: Api, path: str) -> httpx2.Response:
    async with unchecked(api.app) as client:
        return await client.post(f"/careless/{path}")


@pytest.mark.parametrize("path", ["unserialisable", "exit", "thread", "task", "own-unit", "session", "then/bug"])
async def test_a_bug_after_the_commit_of_a_plain_route_says_that_something_is_stored(careless: Api, path: str) -> None:
    before = await everything(careless)
    answer = await post(careless, path)
    assert problem_of(answer) == FAILED_AFTER_COMMIT
    assert answer.json()["detail"] == "Something went wrong on our side. What had been committed before is stored"
    assert await everything(careless) != before


@pytest.mark.parametrize(
    "code", ["overloaded", "database_unavailable", "deadline_exceeded", "storage_full", "conflict"]
)
async def test_what_means_nothing_stored_is_not_said_after_an_earlier_commit(careless: Api, code: str) -> None:
    answer = await post(careless, f"then/{code}")
    assert problem_of(answer) == FAILED_AFTER_COMMIT
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(("code", "status"), [("item_not_found", 404), ("outcome_unknown", 503)])
async def test_what_does_not_mean_that_stays_as_it_is(careless: Api, code: str, status: int) -> None:
    assert problem_of(await post(careless, f"then/{code}")) == (status, code)


async def test_a_bug_after_the_answer_changes_nothing(careless: Api) -> None:
    assert (await post(careless, "background")).status_code == 201


@pytest.mark.parametrize("path", ["rolled-back", "counted"])
async def test_a_bug_of_a_request_that_stored_nothing_but_a_count_says_so(careless: Api, path: str) -> None:
    before = await everything(careless)
    assert problem_of(await post(careless, path)) == (500, "internal_error")
    assert await everything(careless) == before


@pytest.mark.parametrize("way", ["unit", "session"])
async def test_an_unknown_outcome_that_a_route_swallows_is_not_forgotten(postgres_url: str, way: str) -> None:
    async with serving(postgres_url, with_bugs=True) as api:
        api.app.include_router(router)
        await api.item(1)
        await break_commits(postgres_url, "57P01")
        assert problem_of(await post(api, f"swallowed/{way}")) == FAILED_AFTER_COMMIT


@pytest.mark.parametrize(("state", "problem"), [("P0001", (500, "internal_error")), ("53100", (507, "storage_full"))])
async def test_an_attempt_that_is_counted_or_taken_back_is_not_called_stored(
    postgres_url: str, state: str, problem: tuple[int, str]
) -> None:
    async with serving(postgres_url, with_bugs=True, rate_limits=True) as api:
        scene = await scene_on(api)
        await break_writes(postgres_url, state)
        assert problem_of(await scene.send("issue_token")) == problem


@pytest.mark.parametrize("operation", WRITING)
async def test_a_bug_after_the_commit_of_an_operation_says_that_something_is_stored(
    careless: Api, operation: str
) -> None:
    scene = await scene_on(careless)
    before = await everything(careless, scene)
    call = scene.calls()[operation]
    answer = await scene.send_call(call._replace(headers={**call.headers, "X-Fail": "1"}))
    assert problem_of(answer) == FAILED_AFTER_COMMIT
    if operation not in ("change_password", "issue_token"):  # what they store is not shown to others
        assert await everything(careless, scene) != before


@pytest.mark.parametrize("operation", REPEATABLE)
async def test_the_same_key_brings_the_answer_that_was_lost(careless: Api, operation: str) -> None:
    scene = await scene_on(careless)
    call = scene.calls()[operation]
    keyed = {**call.headers, "Idempotency-Key": "k-1"}
    assert problem_of(await scene.send_call(call._replace(headers={**keyed, "X-Fail": "1"}))) == FAILED_AFTER_COMMIT
    before = await everything(careless)
    answer = await scene.send_call(call._replace(headers=keyed))
    assert answer.is_success
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert await everything(careless) == before


@pytest.mark.parametrize("operation", READING)
async def test_a_bug_of_an_operation_that_reads_says_that_nothing_is_stored(careless: Api, operation: str) -> None:
    scene = await scene_on(careless)
    call = scene.calls()[operation]
    answer = await scene.send_call(call._replace(headers={**call.headers, "X-Fail": "1"}))
    assert problem_of(answer) == (500, "internal_error")


class CarelessServer(StewardServer):
    module = ("tests.e2e.http.careless_server",)


def test_a_server_says_whether_the_item_is_stored_whose_answer_it_could_not_make(server_url: str) -> None:
    with CarelessServer(server_url) as server:
        server.sign_in()

        def names() -> list[str]:
            lines = server.client.get("/items/export").raise_for_status().text.splitlines()
            return [line.partition('"name":"')[2].partition('"')[0] for line in lines]

        assert problem_of(server.client.post("/items", json={"name": "Box"})) == FAILED_AFTER_COMMIT
        assert names() == ["Box"]
        keyed = server.client.post("/items", json={"name": "Lid"}, headers={"Idempotency-Key": "k-1"})
        assert problem_of(keyed) == (500, "internal_error")
        assert names() == ["Box"]
        assert problem_of(server.client.post("/careless/unserialisable")) == FAILED_AFTER_COMMIT
        assert names() == ["Box", "Stored"]
        outside = server.client.delete("/items/1", headers={"X-Fail": "1", "Connection": "close"})
        assert outside.status_code == 500
        assert "code" not in outside.text, "a middleware around all layers fails: nothing is said of what is stored"
        assert names() == ["Stored"]
        with Client(server.url) as client:
            client.sign_in("admin", ADMIN_PASSWORD)
            with pytest.raises(ProblemError) as refused:
                client.items.create(name="Chest")
        assert refused.value.code == "internal_error"
        assert names() == ["Stored"]
