"""PostgreSQL that ends, crashes or cannot be reached, under a server that nobody restarts.

Nothing that was acknowledged is lost, every answer is one of the contract's, and once the database is back so is the
service.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema

from tests.support.outage import BACK, nothing_is_amiss, traffic
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy
from tests.support.steward_server import AS_SHIPPED, StewardServer

POOL = 4


@pytest_asyncio.fixture(scope="module")
async def postgres_to_kill() -> AsyncIterator[PostgresServer]:
    server = PostgresServer(durable=True)
    try:
        async with Database(server.url("postgres")) as database:
            await schema.upgrade(database)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(postgres_to_kill: PostgresServer) -> Iterator[StewardServer]:
    with StewardServer(postgres_to_kill.url("postgres"), access_log=False) as server:
        server.sign_in()
        yield server


async def test_a_restart_under_load_is_503_until_it_is_over(
    server: StewardServer, postgres_to_kill: PostgresServer
) -> None:
    """PostgreSQL's fast shutdown, which tells its clients. Its crashes: tests/faults/test_killed_database.py."""
    async with traffic(server) as going:
        await going.until_well(time.monotonic())
        postgres_to_kill.stop(keep=True)
        await going.until_refused()
        assert (await asyncio.to_thread(server.client.get, "/livez")).status_code == 200
        assert (await asyncio.to_thread(server.client.get, "/readyz")).status_code == 503
        postgres_to_kill.start()
        await going.until_well(time.monotonic())
    assert going.codes["database_unavailable"]
    await nothing_is_amiss(going)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_restart_while_nothing_is_asked_is_not_noticed(
    server: StewardServer, postgres_to_kill: PostgresServer, how: signal.Signals
) -> None:
    for path in ("/items", "/users"):
        assert server.client.get(path).status_code == 200
    postgres_to_kill.stop(how=how, keep=True)
    postgres_to_kill.start()
    for number in range(3):
        assert server.client.post("/items", json={"name": f"after {how.name} {number}"}).status_code == 201
        assert server.client.get("/items").status_code == 200


async def test_while_packets_are_lost_it_is_503_in_time_and_then_all_is_well_again(
    postgres_to_kill: PostgresServer,
) -> None:
    """They are forgotten with their connection, so that each of the pool has to be found out. Those that arrive late in
    the end, as TCP sends them again: tests/faults/test_swallowed_packets.py."""
    async with Proxy("127.0.0.1", postgres_to_kill.port).open() as proxy:
        url = f"postgresql+asyncpg://postgres@127.0.0.1:{proxy.port}/postgres"
        server = StewardServer(url, pool_size=POOL, **AS_SHIPPED)  # the shorter its deadlines, the sooner it is over
        await asyncio.to_thread(server.start)  # the proxy needs this loop meanwhile
        try:
            await asyncio.to_thread(server.sign_in)
            async with traffic(server) as going:
                await going.until_well(time.monotonic())
                proxy.is_swallowing = True
                async with asyncio.timeout(BACK):
                    while going.statuses[503] < POOL:  # noqa: ASYNC110 - nobody tells us
                        await asyncio.sleep(0.02)
                proxy.is_swallowing = False
                await going.until_well(time.monotonic())
            await nothing_is_amiss(going)
        finally:
            await asyncio.to_thread(server.stop)
            server.client.close()


async def test_the_first_look_at_readiness_is_503_if_the_database_does_not_answer(
    postgres_to_kill: PostgresServer,
) -> None:
    """It connects, and is cut in the middle of that."""
    async with Proxy("127.0.0.1", postgres_to_kill.port).open() as proxy:
        server = StewardServer(f"postgresql+asyncpg://postgres@127.0.0.1:{proxy.port}/postgres", **AS_SHIPPED)
        await asyncio.to_thread(server.start)
        try:
            proxy.is_swallowing = True
            for _ in range(2):
                answer = await asyncio.to_thread(server.client.get, "/readyz")
                assert answer.status_code == 503, answer.text
            proxy.is_swallowing = False
            async with asyncio.timeout(BACK):
                while (  # noqa: ASYNC110 - the server is another process
                    await asyncio.to_thread(server.client.get, "/readyz")
                ).status_code != 200:
                    await asyncio.sleep(0.1)
        finally:
            await asyncio.to_thread(server.stop)
            server.client.close()


def test_a_database_that_is_starting_up_is_unavailable(server: StewardServer, postgres_to_kill: PostgresServer) -> None:
    """57P03: recovery takes a while after a crash, and connections are refused by name."""
    postgres_to_kill.stop(keep=True)
    with postgres_to_kill.starting_up():
        answer = server.client.get("/items")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    postgres_to_kill.start()
    assert server.client.get("/items").status_code == 200
