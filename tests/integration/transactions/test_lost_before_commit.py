"""A connection to PostgreSQL that is lost before COMMIT is sent has stored nothing, and the caller learns so.

One that is lost later may have.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_
from steward.adapters.database.database import Database
from steward.domain.errors import DatabaseUnavailable, OutcomeUnknown, StewardError
from steward.testing.contract.steps import add, names

from tests.conftest import PATIENT
from tests.support.commit_proxy import CommitProxy, Cut
from tests.support.leaks import assert_nothing_is_left
from tests.support.mapped import person
from tests.support.postgres import execute
from tests.support.proxy import Proxy

LIMIT = 60.0  # seconds
TERMINATE = (
    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid != pg_backend_pid()"
)
Between = Callable[[], Awaitable[None]]
Commit = Callable[[Database, Between], Awaitable[None]]


# The ways to commit


async def commit_unit(database: Database, between: Between) -> None:
    async with database.unit_of_work() as uow:
        await add(uow, "ada")
        await between()
        await uow.commit()


async def commit_session_of_unit(database: Database, between: Between) -> None:
    async with database.unit_of_work() as uow:
        await add_person(uow.session)
        await between()
        await uow.commit()


async def commit_by_leaving(database: Database, between: Between) -> None:
    async with database.session() as session:
        await add_person(session)
        await between()


async def commit_by_hand(database: Database, between: Between) -> None:
    async with database.session() as session:
        await add_person(session)
        await between()
        await session.commit()


async def commit_by_begin(database: Database, between: Between) -> None:
    async with database.session() as session:
        async with session.begin():
            await add_person(session)
            await between()
        pytest.fail("It was committed")


async def add_person(session: AsyncSession) -> None:
    session.add(person("ada"))
    await session.flush()


WAYS: dict[str, tuple[Commit, bool]] = {
    "unit on the lane": (commit_unit, True),
    "unit off the lane": (commit_unit, False),
    "session of a unit that has left the lane": (commit_session_of_unit, True),
    "session of a unit": (commit_session_of_unit, False),
    "session block": (commit_by_leaving, False),
    "session.commit": (commit_by_hand, False),
    "session.begin": (commit_by_begin, False),
}
in_every_way = pytest.mark.parametrize(
    ("commit", "express"), [pytest.param(*way, id=name) for name, way in WAYS.items()]
)


class Lost:
    """A database through a proxy, and the connections that it has made."""

    def __init__(self, url: str, proxy: Proxy, database: Database) -> None:
        self.url = url
        self.proxy = proxy
        self.database = database
        self.drivers: list[asyncpg.Connection] = []
        event.listen(database.engines.pools[0].sync_engine, "connect", self._connected)
        self.idles: str | None = None  # for so long in a transaction, and the server ends it

    def _connected(self, connection: Any, _: object) -> None:
        self.drivers.append(connection.driver_connection)
        if self.idles is not None:
            await_(connection.driver_connection.execute(f"SET idle_in_transaction_session_timeout = '{self.idles}'"))

    async def terminate(self) -> None:
        await execute(self.url, TERMINATE)

    async def until_server_has_gone(self) -> None:
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            async with asyncio.timeout(LIMIT):
                while await connection.fetchval(  # noqa: ASYNC110 - nobody tells us
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND backend_type = 'client backend' AND pid != pg_backend_pid()"
                ):
                    await asyncio.sleep(0.01)
        finally:
            await connection.close()

    async def until_closed(self) -> None:
        async with asyncio.timeout(LIMIT):
            while not self.drivers[-1].is_closed():  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture(name="lost")
async def _lost(postgres_url: str, express: bool) -> AsyncIterator[Lost]:
    url = make_url(postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with Proxy(url.host, url.port).open() as proxy:
        through_proxy = url.set(port=proxy.port).render_as_string(hide_password=False)
        async with Database(through_proxy, pool=PATIENT, express=express) as database:
            yield Lost(postgres_url, proxy, database)
            proxy.ending.set()
            await assert_nothing_is_left(database)
            assert await names(database) == set()


async def fails(lost: Lost, commit: Commit, between: Between) -> StewardError:
    with pytest.raises((DatabaseUnavailable, OutcomeUnknown)) as caught:
        await commit(lost.database, between)
    assert isinstance(caught.value, StewardError)
    return caught.value


# Certain


@in_every_way
async def test_a_connection_that_was_lost_before_commit_has_stored_nothing(lost: Lost, commit: Commit) -> None:
    async def between() -> None:
        await lost.terminate()
        await lost.until_closed()

    error = await fails(lost, commit, between)
    assert type(error) is DatabaseUnavailable
    assert "nothing was stored" in str(error)
    assert error.__cause__ is not None


@in_every_way
async def test_a_farewell_that_came_before_commit_has_stored_nothing(lost: Lost, commit: Commit) -> None:
    """The server has said that it ends, and the connection is open still."""

    async def between() -> None:
        lost.proxy.ending.clear()
        await lost.terminate()
        async with asyncio.timeout(LIMIT):
            while b"57P01" not in lost.proxy.answered:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)
        for _ in range(10):  # what was written to this machine is there, and is read in one step of the event loop
            await asyncio.sleep(0)
        assert not lost.drivers[-1].is_closed()

    assert type(await fails(lost, commit, between)) is DatabaseUnavailable
    lost.proxy.ending.set()


@in_every_way
async def test_a_server_that_tired_of_an_idle_transaction_has_stored_nothing(lost: Lost, commit: Commit) -> None:
    lost.idles = "50ms"

    async def between() -> None:
        lost.idles = None
        await lost.until_closed()

    assert type(await fails(lost, commit, between)) is DatabaseUnavailable


@in_every_way
async def test_that_it_tired_is_certain_also_if_commit_was_sent_already(lost: Lost, commit: Commit) -> None:
    lost.idles = "50ms"

    async def between() -> None:
        lost.idles = None
        lost.proxy.flowing.clear()
        await lost.until_server_has_gone()

    assert type(await with_held_commit(lost, commit, between)) is DatabaseUnavailable


async def with_held_commit(lost: Lost, commit: Commit, between: Between) -> StewardError:
    """Let COMMIT wait in the proxy, with what the server has said before."""
    committing = asyncio.create_task(fails(lost, commit, between))
    async with asyncio.timeout(LIMIT):
        await lost.proxy.held_question.wait()
    lost.proxy.flowing.set()
    return await committing


async def flush_in_commit_of_unit(database: Database, between: Between) -> None:
    async with database.unit_of_work() as uow:
        await add(uow, "ada")
        await between()
        uow.session.add(person("bob"))
        await uow.commit()


async def flush_in_commit_of_block(database: Database, between: Between) -> None:
    async with database.session() as session:
        await add_person(session)
        await between()
        session.add(person("bob"))


async def flush_in_commit_by_begin(database: Database, between: Between) -> None:
    async with database.session() as session:
        async with session.begin():
            await add_person(session)
            await between()
            session.add(person("bob"))
        pytest.fail("It was committed")


@pytest.mark.parametrize(
    ("commit", "express"),
    [
        (flush_in_commit_of_unit, True),
        (flush_in_commit_of_unit, False),
        (flush_in_commit_of_block, False),
        (flush_in_commit_by_begin, False),
    ],
)
async def test_a_flush_of_commit_that_fails_on_a_lost_connection_has_stored_nothing(lost: Lost, commit: Commit) -> None:
    async def between() -> None:
        lost.proxy.flowing.clear()
        await lost.terminate()

    assert type(await with_held_commit(lost, commit, between)) is DatabaseUnavailable


# Unknown


@in_every_way
async def test_a_farewell_that_may_be_the_answer_to_commit_is_an_unknown_outcome(lost: Lost, commit: Commit) -> None:
    async def between() -> None:
        lost.proxy.flowing.clear()
        await lost.terminate()

    assert type(await with_held_commit(lost, commit, between)) is OutcomeUnknown


@in_every_way
@pytest.mark.parametrize("cut", Cut)
async def test_a_connection_that_is_lost_after_commit_was_sent_is_an_unknown_outcome(
    postgres_url: str, commit: Commit, express: bool, cut: Cut
) -> None:
    url = make_url(postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with CommitProxy(url.host, url.port).open() as proxy:
        through_proxy = url.set(port=proxy.own_port).render_as_string(hide_password=False)
        async with Database(through_proxy, pool=PATIENT, express=express) as database:

            async def between() -> None:
                proxy.cuts.append(cut)

            with pytest.raises(OutcomeUnknown):
                await commit(database, between)
            assert proxy.done == [cut]
            assert await names(database) == ({"ada"} if cut is Cut.AFTER else set())
            await assert_nothing_is_left(database)
