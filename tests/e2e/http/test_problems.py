"""Every problem that the OpenAPI document names for an operation is produced here, or said to be out of reach."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http import Api, problem_of, serving

from .breaking import TABLES, break_commits, break_statements, mend_statements
from .operations import Scene, scene_on

WITH_BODY = ["register_user", "update_user", "create_item", "update_item", "transfer_item"]
WRITING = [*WITH_BODY, "delete_user", "delete_item"]
READING = ["list_users", "get_user", "list_items_of_user", "list_items", "get_item", "get_readiness"]
WITHOUT_DATABASE = ["get_liveness", "explain_problem"]

# What one request does wrong: the operation, the code, and the request out of the scene.
Wrong = Callable[[Scene], tuple[str, str, dict[str, Any] | None]]
TWO_BILLION = 2**31 - 1
OWN_PROBLEMS: dict[tuple[str, str], Wrong] = {
    ("register_user", "username_taken"): lambda s: (
        "POST", "/users", {"username": s.ada["username"], "email": "x@example.org", "password": "swordfish 8"}),
    ("register_user", "email_taken"): lambda s: (
        "POST", "/users", {"username": "somebody.else", "email": s.ada["email"], "password": "swordfish 8"}),
    ("list_users", "invalid_cursor"): lambda s: ("GET", "/users?cursor=x", None),
    ("get_user", "user_not_found"): lambda s: ("GET", "/users/4711", None),
    ("update_user", "user_not_found"): lambda s: ("PATCH", "/users/4711", {}),
    ("update_user", "username_taken"): lambda s: (
        "PATCH", f"/users/{s.ada['id']}", {"username": s.bob["username"], "email": s.bob["email"]}),
    ("update_user", "email_taken"): lambda s: ("PATCH", f"/users/{s.ada['id']}", {"email": s.bob["email"]}),
    ("delete_user", "user_not_found"): lambda s: ("DELETE", "/users/4711", None),
    ("delete_user", "user_owns_items"): lambda s: ("DELETE", f"/users/{s.ada['id']}", None),
    ("delete_user", "unknown_recipient"): lambda s: (
        "DELETE", f"/users/{s.ada['id']}?items=transfer&to=4711", None),
    ("list_items_of_user", "invalid_cursor"): lambda s: ("GET", f"/users/{s.ada['id']}/items?cursor=x", None),
    ("list_items_of_user", "user_not_found"): lambda s: ("GET", "/users/4711/items", None),
    ("list_items", "invalid_cursor"): lambda s: ("GET", "/items?cursor=x", None),
    ("get_item", "item_not_found"): lambda s: ("GET", "/items/4711", None),
    ("update_item", "item_not_found"): lambda s: ("PATCH", "/items/4711", {}),
    ("delete_item", "item_not_found"): lambda s: ("DELETE", "/items/4711", None),
    ("transfer_item", "item_not_found"): lambda s: ("POST", "/items/4711/transfer", {"to": s.bob["username"]}),
    ("transfer_item", "unknown_recipient"): lambda s: (
        "POST", f"/items/{s.box['id']}/transfer", {"to": s.ada["username"]}),
    ("transfer_item", "same_item"): lambda s: (
        "POST", f"/items/{s.box['id']}/transfer", {"to": {"item_id": s.box["id"]}}),
    ("transfer_item", "insufficient_quantity"): lambda s: (
        "POST", f"/items/{s.box['id']}/transfer", {"to": s.bob["username"], "quantity": 4}),
    ("explain_problem", "route_not_found"): lambda s: ("GET", "/problems/nope", None),
}  # fmt: skip

# What a database, told to fail, makes of a request.
OF_ANY_STATEMENT = {
    "53300": "overloaded",
    "57P03": "database_unavailable",
    "57014": "deadline_exceeded",
    "42P01": "schema_out_of_date",
    "P0001": "internal_error",
}
OF_WRITING = {"40001": "conflict", "53100": "storage_full"}

# Elsewhere, or not before there is someone who may not do everything.
NOT_PRODUCED_HERE = {
    ("transfer_item", "quantity_overflow"): "a test of its own below",
    ("get_readiness", "shutting_down"): "a server process that is ending: test_a_server_process.py",
    ("create_item", "forbidden"): "until there is sign-in the system does everything, and may",
    ("list_users", "forbidden"): "likewise",
    ("update_user", "forbidden"): "likewise",
    ("list_items", "user_not_found"): "likewise: an admin sees every owner's list",
    ("get_liveness", "internal_error"): "there is nothing in it that could fail",
    ("explain_problem", "internal_error"): "likewise",
}


async def test_every_documented_problem_is_produced_or_said_to_be_out_of_reach(edge: Api) -> None:
    everything = [*WRITING, *READING, *WITHOUT_DATABASE]
    produced = {
        *OWN_PROBLEMS,
        *((operation, "invalid_request") for operation in everything),
        *(
            (operation, code)
            for operation in WITH_BODY
            for code in ("malformed_json", "body_too_large", "unsupported_media_type")
        ),
        *((operation, code) for operation in [*WRITING, *READING] for code in OF_ANY_STATEMENT.values()),
        *((operation, code) for operation in WRITING for code in [*OF_WRITING.values(), "outcome_unknown"]),
    }
    assert produced | NOT_PRODUCED_HERE.keys() == edge.document.codes()
    assert not produced & NOT_PRODUCED_HERE.keys()


async def test_every_operation_succeeds_when_nothing_is_wrong(api: Api) -> None:
    for operation in [*WRITING, *READING, *WITHOUT_DATABASE]:
        answer = await (await scene_on(api)).send(operation)
        assert answer.is_success, answer.text


@pytest.mark.parametrize(("operation", "code"), OWN_PROBLEMS)
async def test_an_operation_has_problems_of_its_own(api: Api, operation: str, code: str) -> None:
    method, path, body = OWN_PROBLEMS[operation, code](await scene_on(api))
    answer = await api.client.request(method, path, json=body)
    assert problem_of(answer)[1] == code
    sought = api.document.operation(method, path.partition("?")[0])
    assert sought is not None
    assert sought["operationId"] == operation


async def test_an_item_holds_no_more_than_fits(api: Api) -> None:
    ada = await api.user()
    giver, taker = await api.item(ada["id"], quantity=1), await api.item(ada["id"], quantity=2**31 - 1)
    answer = await api.client.post(f"/items/{giver['id']}/transfer", json={"to": {"item_id": taker["id"]}})
    assert problem_of(answer) == (409, "quantity_overflow")
    assert (await api.client.get(f"/items/{giver['id']}")).json() == giver


@pytest.mark.parametrize("operation", [*WRITING, *READING, *WITHOUT_DATABASE])
async def test_every_operation_refuses_what_it_does_not_know(edge: Api, operation: str) -> None:
    method, path, body = (await scene_on(edge)).requests()[operation]
    unknown = f"{path}{'&' if '?' in path else '?'}nonsense=1"
    assert problem_of(await edge.client.request(method, unknown, json=body)) == (422, "invalid_request")


@pytest.mark.parametrize("operation", WITH_BODY)
async def test_every_operation_that_takes_a_body_refuses_bad_ones(edge: Api, operation: str) -> None:
    method, path, _ = (await scene_on(edge)).requests()[operation]
    is_json = {"Content-Type": "application/json"}
    for content, headers, problem in (
        (b"{", is_json, (400, "malformed_json")),
        (b" " * 100_001, is_json, (413, "body_too_large")),
        (b"{}", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
    ):
        assert problem_of(await edge.client.request(method, path, content=content, headers=headers)) == problem


async def everything(api: Api) -> list[Any]:
    return [(await api.client.get(path)).json() for path in ("/users?limit=200", "/items?limit=200")]


@pytest.mark.parametrize(
    ("state", "code", "operations"),
    [(state, code, [*WRITING, *READING]) for state, code in OF_ANY_STATEMENT.items()]
    + [(state, code, WRITING) for state, code in OF_WRITING.items()],
)
async def test_a_database_that_fails_is_a_problem_and_nothing_is_stored(
    postgres_url: str, state: str, code: str, operations: list[str]
) -> None:
    async with serving(postgres_url, with_bugs=True) as api:
        scene = await scene_on(api)
        before = await everything(api)
        await break_statements(postgres_url, state)
        answers = await asyncio.gather(*(scene.send(operation) for operation in operations))
        await mend_statements(postgres_url)
        assert [answer.json()["code"] for answer in answers] == [code] * len(operations)
        assert await everything(api) == before


@pytest.mark.parametrize(
    ("state", "code"), [("57P01", "outcome_unknown"), ("40001", "conflict"), ("P0001", "internal_error")]
)
async def test_a_commit_that_fails_is_never_a_success(postgres_url: str, state: str, code: str) -> None:
    async with serving(postgres_url, with_bugs=True) as api:
        scene = await scene_on(api)
        before = await everything(api)
        await break_commits(postgres_url, state)
        answers = await asyncio.gather(*(scene.send(operation) for operation in WRITING))
        assert [answer.json()["code"] for answer in answers] == [code] * len(WRITING)
        assert await everything(api) == before


async def test_a_bug_in_sqlite_is_an_internal_error_and_nothing_is_stored(sqlite_url: str) -> None:
    async with serving(sqlite_url, with_bugs=True) as api:
        scene = await scene_on(api)
        before = await everything(api)
        with sqlite3.connect(sqlite_url.partition("///")[2]) as connection:
            for table in TABLES:
                for writing in ("INSERT", "UPDATE", "DELETE"):
                    connection.execute(
                        f"CREATE TRIGGER fail_{writing}_{table} AFTER {writing} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'broken on purpose: SELECT 1'); END"
                    )
        connection.close()
        answers = [await scene.send(operation) for operation in WRITING]
        assert [answer.json()["code"] for answer in answers] == ["internal_error"] * len(WRITING)
        assert await everything(api) == before


async def test_a_full_disk_under_sqlite_is_storage_full(sqlite_url: str) -> None:
    async with serving(sqlite_url) as api:
        ada = await api.user()
        async with api.database.session() as session:  # the one writing connection of a SQLite file
            pages = (await (await session.connection()).exec_driver_sql("PRAGMA page_count")).scalar_one()
            await (await session.connection()).exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        big = {"owner_id": ada["id"], "name": "Box", "description": "x" * 10_000}
        assert problem_of(await api.client.post("/items", json=big)) == (507, "storage_full")
        assert (await api.client.get("/items")).json()["data"] == []


async def test_a_pool_without_a_free_connection_is_overloaded(api: Api) -> None:
    async with serving(str(api.container.settings().database_url), pool_size=1, pool_timeout=0.05) as small:
        ada = await small.user()
        connections = [await engine.connect() for engine in small.database.engines.pools]
        refused = await small.client.get(f"/users/{ada['id']}")
        for connection in connections:
            await connection.close()
        assert problem_of(refused) == (503, "overloaded")
        assert (await small.client.get(f"/users/{ada['id']}")).json() == ada
        assert (await small.client.get("/livez")).status_code == 200


async def test_an_empty_database_is_out_of_date(tmp_path: Any) -> None:
    async with serving(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}") as api:
        for path in ("/readyz", "/users", "/items/1"):
            assert problem_of(await api.client.get(path)) == (503, "schema_out_of_date")
        assert (await api.client.get("/livez")).status_code == 200
