"""Several server processes on one PgBouncer in transaction mode."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.testing import given_user

from tests.support.pgbouncer import PgBouncer, needs_pgbouncer
from tests.support.steward_command import steward
from tests.support.steward_server import SECRET, StewardServer

pytestmark = needs_pgbouncer

KEYS = 150
SETTINGS = {"database_pooler": "pgbouncer", "pool_size": 3}


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    bouncer = PgBouncer(postgres_url, pool_size=3)
    yield bouncer.url(postgres_url)
    bouncer.stop()


async def test_450_requests_to_three_processes_are_all_answered_and_each_key_has_one_effect(pooled_url: str) -> None:
    with (
        StewardServer(pooled_url, access_log=False, **SETTINGS) as one,
        StewardServer(pooled_url, access_log=False, **SETTINGS) as two,
        StewardServer(pooled_url, access_log=False, **SETTINGS) as three,
    ):
        one.sign_in()
        async with httpx2.AsyncClient(headers=one.credentials, timeout=150) as client:

            async def make_and_read(number: int) -> list[int]:
                first, again, reader = (one, two, three)[number % 3 :] + (one, two, three)[: number % 3]
                made = [
                    await client.post(
                        f"{server.url}/items",
                        json={"name": f"box {number}"},
                        headers={"Idempotency-Key": f"key-{number}"},
                    )
                    for server in (first, again)
                ]
                assert [answer.status_code for answer in made] == [201, 201], made[0].text
                assert made[0].content == made[1].content
                read = await client.get(reader.url + made[0].headers["Location"])
                assert read.json()["name"] == f"box {number}"
                return [answer.status_code for answer in (*made, read)]

            gate = asyncio.Semaphore(24)

            async def in_turn(number: int) -> list[int]:
                async with gate:
                    return await make_and_read(number)

            answers = await asyncio.gather(*(in_turn(number) for number in range(KEYS)))
            assert Counter(status for statuses in answers for status in statuses) == {201: 2 * KEYS, 200: KEYS}
            stored = (await client.get(f"{one.url}/items?limit=200")).json()["data"]
    assert sorted(item["name"] for item in stored) == sorted(f"box {number}" for number in range(KEYS))


def test_the_command_line_goes_through_it_too(pooled_url: str) -> None:
    done = steward("check", database_url=pooled_url, database_pooler="pgbouncer", secret_key=SECRET)
    assert "schema              ok" in done.stdout, done.stdout


async def test_a_copy_goes_through_it_too(sqlite_url: str, pooled_url: str, postgres_url: str) -> None:
    async with Database(sqlite_url) as database:
        await given_user(database, username="ada")
    done = steward("db", "copy", sqlite_url, pooled_url, database_pooler="pgbouncer")
    assert done.returncode == 0, done.stderr
    async with Database(postgres_url) as database, database.reader() as session:
        assert await session.scalar(text("SELECT username FROM users")) == "ada"
