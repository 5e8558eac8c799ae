"""What fails in the database is a problem that says so, and leaves nothing behind."""

import asyncio
import sqlite3
from typing import Any

import pytest
from steward.adapters.unit_of_work.transaction import TransactionMode

from tests.support.http import problem_of, serving

from .breaking import (
    OF_ANY_STATEMENT,
    OF_WRITING,
    TABLES,
    break_commits,
    break_statements,
    break_writes,
    mend_statements,
    mend_writes,
)
from .operations import READING, WRITING, Scene, scene_on


async def everything(scene: Scene) -> list[Any]:
    client = scene.api.client
    return [
        (await client.get("/users?limit=200")).json(),
        (await client.get("/items?limit=200")).json(),
        (await client.get("/auth/sessions", headers=scene.as_ada)).json(),
    ]


@pytest.mark.parametrize(("state", "code"), OF_ANY_STATEMENT.items())
async def test_a_database_that_fails_is_a_problem(postgres_url: str, state: str, code: str) -> None:
    async with serving(postgres_url, with_bugs=True) as api:
        scene = await scene_on(api)
        operations = [*WRITING, *READING]
        await break_statements(postgres_url, state)
        answers = await asyncio.gather(*(scene.send(operation) for operation in operations))
        await mend_statements(postgres_url)
        assert [answer.json()["code"] for answer in answers] == [code] * len(operations)


@pytest.mark.parametrize(("state", "code"), [*OF_ANY_STATEMENT.items(), *OF_WRITING.items()])
async def test_a_write_that_fails_is_a_problem_and_nothing_is_stored(postgres_url: str, state: str, code: str) -> None:
    async with serving(postgres_url, with_bugs=True) as api:
        scene = await scene_on(api)
        before = await everything(scene)
        await break_writes(postgres_url, state)
        answers = await asyncio.gather(*(scene.send(operation) for operation in WRITING))
        await mend_writes(postgres_url)
        assert [answer.json()["code"] for answer in answers] == [code] * len(WRITING)
        assert await everything(scene) == before


@pytest.mark.parametrize(
    ("state", "code"), [("57P01", "outcome_unknown"), ("40001", "conflict"), ("P0001", "internal_error")]
)
async def test_a_commit_that_fails_is_never_a_success(postgres_url: str, state: str, code: str) -> None:
    async with serving(postgres_url, with_bugs=True) as api:
        scene = await scene_on(api)
        before = await everything(scene)
        await break_commits(postgres_url, state)
        answers = await asyncio.gather(*(scene.send(operation) for operation in WRITING))
        assert [answer.json()["code"] for answer in answers] == [code] * len(WRITING)
        assert await everything(scene) == before


async def test_a_bug_in_sqlite_is_an_internal_error_and_nothing_is_stored(sqlite_url: str) -> None:
    async with serving(sqlite_url, with_bugs=True) as api:
        scene = await scene_on(api)
        before = await everything(scene)
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
        assert await everything(scene) == before


async def test_a_full_disk_under_sqlite_is_storage_full(sqlite_url: str) -> None:
    async with serving(sqlite_url) as api:
        ada = await api.user()
        # The one writing connection of a SQLite file. What a session sets on it would be gone.
        async with api.database.engines.engine(TransactionMode.WRITING).connect() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        big = {"owner_id": ada["id"], "name": "Box", "description": "x" * 10_000}
        assert problem_of(await api.client.post("/items", json=big)) == (507, "storage_full")
        assert (await api.client.get("/items")).json()["data"] == []


async def test_a_pool_without_a_free_connection_is_overloaded(server_url: str) -> None:
    async with serving(server_url, pool_size=1, pool_timeout=0.05) as small:
        ada = await small.user()
        connections = [await engine.connect() for engine in small.database.engines.pools]
        refused = await small.client.patch(f"/users/{ada['id']}", json={"username": "somebody"})
        for connection in connections:
            await connection.close()
        assert problem_of(refused) == (503, "overloaded")
        assert (await small.client.get(f"/users/{ada['id']}")).json() == ada
        assert (await small.client.get("/livez")).status_code == 200


async def test_a_database_without_tables_is_out_of_date(sqlite_url: str) -> None:
    async with serving(sqlite_url) as api:
        with sqlite3.connect(sqlite_url.partition("///")[2]) as connection:
            for table in TABLES:
                connection.execute(f"DROP TABLE {table}")
        connection.close()
        for path in ("/readyz", "/users", "/items/1"):
            assert problem_of(await api.client.get(path)) == (503, "schema_out_of_date")
        assert (await api.client.get("/livez")).status_code == 200
