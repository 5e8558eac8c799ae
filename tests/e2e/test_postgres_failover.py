"""The primary of several hosts is gone, and its standby takes over."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from sqlalchemy import event, make_url, text
from steward.adapters.database.database import Database
from steward.adapters.database.engines import PoolSettings
from steward.adapters.database.operations import schema
from steward.domain.errors import DatabaseUnavailable, ReadOnly
from steward.testing import given_user

from tests.conftest import PATIENT
from tests.support.outage import nothing_is_amiss, traffic
from tests.support.postgres import PostgresServer, execute
from tests.support.proxy import Proxy
from tests.support.steward_command import steward
from tests.support.steward_server import SECRET, StewardServer


@asynccontextmanager
async def replicated() -> AsyncIterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its standby."""
    with ExitStack() as stack:
        primary = PostgresServer(durable=True)
        stack.callback(primary.stop)
        async with Database(primary.url("postgres")) as database:
            await schema.upgrade(database)
        standby = PostgresServer(durable=True, primary=primary)
        stack.callback(standby.stop)
        yield primary, standby


@pytest_asyncio.fixture(scope="module")
async def servers() -> AsyncIterator[tuple[PostgresServer, PostgresServer]]:
    """Those of the tests that leave them as they are."""
    async with replicated() as servers:
        yield servers


def url_of(*ports: int) -> str:
    hosts = "&".join(f"host=127.0.0.1:{port}" for port in ports)
    return f"postgresql+asyncpg://postgres@/postgres?{hosts}"


async def wait_for_the_standby(primary: PostgresServer) -> None:
    """From now on a commit is acknowledged only when the standby has it too: nothing else can be promised of it."""
    await execute(
        primary.url("postgres"), "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"
    )
    async with Database(primary.url("postgres")) as database, asyncio.timeout(60):
        state = None
        while state != "sync":
            async with database.reader() as session:
                state = await session.scalar(text("SELECT sync_state FROM pg_stat_replication"))
            await asyncio.sleep(0.05)


async def test_a_standby_that_takes_over_has_all_that_was_acknowledged_and_serves_without_a_restart() -> None:
    async with replicated() as (primary, standby):
        await wait_for_the_standby(primary)
        with StewardServer(url_of(primary.port, standby.port)) as server:
            server.sign_in()
            async with traffic(server) as going:
                await going.until_well(time.monotonic())
                primary.stop(how=signal.SIGKILL, keep=True)
                await going.until_refused()
                standby.promote()
                await going.until_well(time.monotonic())
            assert len(going.stored) > 10
            await nothing_is_amiss(going)


async def test_a_host_that_is_gone_without_a_word_does_not_use_up_the_time_of_the_next_one(
    servers: tuple[PostgresServer, PostgresServer],
) -> None:
    primary, _ = servers
    async with Proxy("127.0.0.1", primary.port).open() as gone:
        gone.is_swallowing = True
        # Half of it is waited for the one that is gone; the other one must connect in the other half.
        async with Database(url_of(gone.port, primary.port), pool=PoolSettings(connect=10)) as database:
            for _ in range(2):
                async with database.session() as session:
                    assert await session.scalar(text("SELECT 1")) == 1
                await database.engines.pools[0].dispose()


async def test_a_standby_is_passed_over_wherever_it_stands(servers: tuple[PostgresServer, PostgresServer]) -> None:
    primary, standby = servers
    async with Database(url_of(standby.port, primary.port), pool=PATIENT) as database:
        assert (await given_user(database)).id


async def test_a_standby_is_read_a_write_drops_its_connection_and_without_a_primary_there_is_no_database() -> None:
    dropped: list[object] = []
    async with (
        replicated() as (primary, standby),
        Database(standby.url("postgres"), pool=PATIENT) as database,
        Database(url_of(primary.port, standby.port), pool=PATIENT) as of_both,
    ):
        event.listen(database.engines.pools[0].sync_engine, "invalidate", lambda *it: dropped.append(it))
        async with database.reader() as session:
            assert await session.scalar(text("SELECT count(*) FROM items")) == 0
        with pytest.raises(ReadOnly):
            async with database.reader() as session:
                await session.execute(text("DELETE FROM items"))
        for times in (1, 2):
            with pytest.raises(DatabaseUnavailable):
                await given_user(database)
            assert len(dropped) == times
        primary.stop(keep=True)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await given_user(of_both)
        standby.promote()
        assert (await given_user(database)).id
        assert (await given_user(of_both)).id


async def test_check_names_all_hosts_and_no_password(servers: tuple[PostgresServer, PostgresServer]) -> None:
    primary, _ = servers
    url = make_url(url_of(primary.port, 1)).set(password="s3cr3t")
    given = url.render_as_string(hide_password=False)
    done = steward("check", database_url=given, secret_key=SECRET)
    assert done.returncode == 0, done.stdout
    assert f"127.0.0.1:{primary.port}" in done.stdout
    assert "127.0.0.1:1" in done.stdout
    assert "s3cr3t" not in done.stdout


def test_several_hosts_of_which_one_has_no_port_are_refused_at_once() -> None:
    for hosts in ("host=a:5432&host=b", "host=a&host=b"):
        url = f"postgresql+asyncpg://postgres@/postgres?{hosts}"
        with pytest.raises(ValueError, match="each with its port"):
            Database(url)
    refused = steward("serve", "--port", "0", database_url=url, secret_key=SECRET)
    assert refused.stderr.startswith("Error: STEWARD_DATABASE_URL: several hosts are given as")
