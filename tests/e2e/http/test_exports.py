"""`GET /items/export`: all of one's items, whatever their number, while the database does other things."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from steward.domain.actors import Actor
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.service_layer.exports import CHUNK
from steward.service_layer.imports import import_items
from steward.testing import Clock

from tests.support.exchange import Exchange
from tests.support.http import Api, faults_of, problem_of, serving
from tests.support.statements import counted

MANY = 2 * CHUNK + 1
EXPORT = "/items/export"


async def add_items(api: Api, owner_id: int, count: int) -> None:
    new = [NewItem.of(owner_id=UserId(owner_id), name=f"Box {number}") for number in range(count)]
    await import_items(api.database.unit_of_work(), Actor.system(), pieces=lambda: [new])


@pytest_asyncio.fixture(scope="module")
async def hoarder(api: Api) -> dict[str, str]:
    """What somebody with three parts of items sends."""
    ada = await api.user()
    await add_items(api, ada["id"], MANY)
    return await api.bearer(ada["id"])


async def test_ndjson_has_the_items_as_get_shows_them(api: Api) -> None:
    ada = await api.user()
    box = await api.item(ada["id"], description="6\" long\n'tis", attributes={"z": 1, "a": [2.50, None]})
    lid = await api.item(ada["id"], name="=Lid", quantity=0)
    answer = await api.client.get(EXPORT, headers=await api.bearer(ada["id"]))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="items.ndjson"'
    shown = [(await api.client.get(f"/items/{each['id']}")).text + "\n" for each in (box, lid)]
    assert answer.text == "".join(shown)


async def test_csv_has_a_header_also_where_there_is_nothing(api: Api) -> None:
    ada = await api.user()
    answer = await api.client.get(f"{EXPORT}?format=csv", headers=await api.bearer(ada["id"]))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="items.csv"'
    assert answer.text == "id,owner_id,name,description,quantity,attributes,created_at,updated_at,version\r\n"


async def test_nothing_of_others_is_in_it_not_even_in_an_admins(api: Api) -> None:
    ada = await api.user()
    await api.item(ada["id"])
    mine = (await api.client.post("/items", json={"name": "Mine"})).json()
    exported = [json.loads(line) for line in (await api.client.get(EXPORT)).text.splitlines()]
    assert mine in exported
    assert {item["owner_id"] for item in exported} == {mine["owner_id"]}


@pytest.mark.parametrize("format", ["ndjson", "csv"])
async def test_many_items_come_once_each_in_the_order_of_their_ids(
    api: Api, hoarder: dict[str, str], format: str
) -> None:
    answer = await api.client.get(f"{EXPORT}?format={format}", headers=hoarder)
    lines = answer.text.splitlines()[format == "csv" :]
    names = [line.split(",")[2] if format == "csv" else json.loads(line)["name"] for line in lines]
    assert names == [f"Box {number}" for number in range(MANY)]


async def test_the_formats_are_two(edge: Api) -> None:
    answer = await edge.client.get(f"{EXPORT}?format=xml")
    assert faults_of(answer) == [("format", "literal_error")]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_export_is_a_path_of_its_own_and_no_items(edge: Api, method: str) -> None:
    answer = await edge.client.request(method, EXPORT)
    assert problem_of(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_head_tells_of_the_answer_and_reads_no_item(api: Api, hoarder: dict[str, str]) -> None:
    with counted(api.database) as cost:
        answer = await api.client.head(f"{EXPORT}?format=csv", headers=hoarder)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert len(cost.statements) == 1  # who is asking
    assert (await api.anonymous.head(EXPORT)).status_code == 401


async def test_no_connection_is_held_while_the_client_takes_its_time(api: Api, hoarder: dict[str, str]) -> None:
    held: list[int] = []

    async def taking() -> None:
        held.append(api.database.checked_out())

    answer = await Exchange(api.app, taking=taking).request("GET", EXPORT, hoarder)
    assert answer.is_whole
    assert held == [0, 0, 0]


async def test_no_part_is_read_before_the_one_before_is_taken(api: Api, hoarder: dict[str, str]) -> None:
    read: list[int] = []
    with counted(api.database) as cost:

        async def taking() -> None:
            read.append(sum("FROM items" in statement for statement in cost.statements))

        await Exchange(api.app, taking=taking).request("GET", EXPORT, hoarder)
    assert read == [1, 2, 3]


async def test_when_the_client_has_left_nothing_more_is_read(api: Api, hoarder: dict[str, str]) -> None:
    async def taking() -> None:
        exchange.left.set()
        await asyncio.sleep(0.01)

    exchange = Exchange(api.app, taking=taking)
    with counted(api.database) as cost:
        await exchange.request("GET", EXPORT, hoarder)
    assert not exchange.is_whole
    assert sum("FROM items" in statement for statement in cost.statements) == 2
    assert api.database.checked_out() == 0


async def test_a_request_that_is_cancelled_leaves_nothing_open(api: Api, hoarder: dict[str, str]) -> None:
    async def taking() -> None:
        task.cancel()
        await asyncio.sleep(0)

    exchange = Exchange(api.app, taking=taking)
    task = asyncio.create_task(exchange.request("GET", EXPORT, hoarder))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not exchange.is_whole
    assert api.database.checked_out() == 0


async def test_by_http_1_0_a_cut_answer_would_look_whole_so_there_is_none(api: Api, hoarder: dict[str, str]) -> None:
    answer = await Exchange(api.app, http_version="1.0").request("GET", EXPORT, hoarder)
    problem: dict[str, Any] = json.loads(answer.body)
    assert (answer.status, problem["code"]) == (400, "bad_request")
    assert "HTTP/1.1" in problem["detail"]
    assert (await Exchange(api.app, http_version="1.0").request("HEAD", EXPORT, hoarder)).status == 200


async def test_a_token_that_expires_meanwhile_was_good_enough(sqlite_url: str) -> None:
    async with serving(sqlite_url) as api:
        clock = api.database.clock = Clock(datetime.now(UTC))
        ada = await api.user("ada")
        await add_items(api, ada["id"], MANY)
        headers = await api.bearer(ada["id"])

        async def taking() -> None:
            clock.advance(days=1)
            told = await api.anonymous.get("/users/me", headers=headers)
            assert problem_of(told) == (401, "token_expired")

        answer = await Exchange(api.app, taking=taking).request("GET", EXPORT, headers)
        assert answer.is_whole
        assert answer.body.count(b"\n") == MANY
