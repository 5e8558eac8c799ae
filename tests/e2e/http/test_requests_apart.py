"""Requests, and applications, do not get in each other's way."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.types import Message
from steward.entrypoints.http.dependencies import get_unit_of_work
from steward.service_layer.tokens import Tokens
from steward.service_layer.unit_of_work import UnitOfWork

from tests.support.http import Api, problem_of, serving

from .operations import scene_on


async def test_a_hundred_requests_at_once_have_a_hundred_units_of_work(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await scene_on(api)
    units: list[UnitOfWork] = []

    async def seen_unit_of_work() -> UnitOfWork:
        units.append(api.container.unit_of_work())
        return units[-1]

    monkeypatch.setitem(api.app.dependency_overrides, get_unit_of_work, seen_unit_of_work)
    paths = [f"/users/{scene.ada['id']}", f"/users/{scene.bob['id']}"] * 50
    answers = await asyncio.gather(*(api.client.get(path) for path in paths))
    assert [answer.json() for answer in answers] == [scene.ada, scene.bob] * 50
    assert len({id(unit) for unit in units}) == 100


async def test_a_hundred_writes_at_once_are_all_stored(api: Api) -> None:
    owner_id = (await api.user())["id"]
    made = await asyncio.gather(*(api.item(owner_id, name=f"Box {number}") for number in range(100)))
    page = await api.client.get(f"/users/{owner_id}/items?limit=200")
    assert {row["id"] for row in page.json()["data"]} == {item["id"] for item in made}
    assert len(page.json()["data"]) == 100


async def test_changes_of_different_members_at_once_all_arrive(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    path = f"/items/{box['id']}"
    changes: list[dict[str, Any]] = [{"attributes": {f"member{number}": number}} for number in range(10)]
    answers = await asyncio.gather(*(api.client.patch(path, json=change) for change in changes))
    assert {answer.status_code for answer in answers} == {200}
    after = (await api.client.get(path)).json()
    assert after["attributes"] == {f"member{number}": number for number in range(10)}
    assert after["version"] == 11


async def test_of_two_who_want_the_same_address_one_gets_it(api: Api) -> None:
    bodies = [
        {"username": f"racer{number}", "email": "racer@example.org", "password": "swordfish 8"} for number in range(8)
    ]
    answers = await asyncio.gather(*(api.client.post("/users", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {answer.json()["code"] for answer in answers if answer.is_error} == {"email_taken"}


async def test_two_applications_in_one_process_do_not_see_each_others_data(api: Api) -> None:
    ada = await api.user()
    async with serving("sqlite+aiosqlite:///:memory:") as other:
        assert problem_of(await other.client.get(f"/users/{ada['id']}")) == (404, "user_not_found")
        theirs = [await other.user() for _ in range(3)]
        assert [user["id"] for user in theirs] == [2, 3, 4]  # 1 is the admin
        hers = await api.bearer(ada["id"])
        assert problem_of(await other.client.get("/users/me", headers=hers)) == (401, "token_revoked")
        assert (await api.client.get(f"/users/{ada['id']}")).json() == ada
        names = {user["username"] for user in (await api.client.get("/users?limit=200")).json()["data"]}
        assert not names & {user["username"] for user in theirs}


@pytest.mark.parametrize(
    "operation",
    [
        *("list_items", "get_item", "create_item", "update_item", "get_user", "list_users"),
        *("issue_token", "list_sessions", "end_session"),
    ],
)
async def test_the_connection_is_back_and_the_commit_done_before_the_answer_begins(api: Api, operation: str) -> None:
    scene = await scene_on(api)
    checked_out: list[int] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watching_send(message: Message) -> None:
            checked_out.append(api.database.checked_out())
            await send(message)

        await api.app(scope, receive, watching_send)

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=watched), base_url="http://steward.test", headers=api.client.headers
    ) as client:
        assert (await replace(scene, api=replace(api, client=client, anonymous=client)).send(operation)).is_success
    assert checked_out == [0, 0]


async def test_a_token_that_is_good_for_nothing_has_its_body_read_but_not_parsed(api: Api) -> None:
    read: list[bytes] = []

    async def body() -> Any:
        read.append(b"{")
        yield b"{"

    headers = {"Authorization": f"Bearer {Tokens.draw().access}", "Content-Type": "text/plain"}
    answer = await api.client.post("/items", content=body(), headers=headers)
    assert (problem_of(answer), read) == ((401, "token_revoked"), [b"{"])


async def test_no_connection_is_held_while_a_slow_body_arrives(api: Api) -> None:
    checked_out: list[int] = []

    async def slowly() -> Any:
        for part in (b'{"owner_id":', b"4711,", b'"name":"Box"}'):
            yield part
            await asyncio.sleep(0)
            checked_out.append(api.database.checked_out())

    answer = await api.client.post("/items", content=slowly(), headers={"Content-Type": "application/json"})
    assert problem_of(answer) == (422, "invalid_request")
    assert checked_out == [0, 0, 0]
