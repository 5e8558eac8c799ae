"""What ends the first connection of a database, on which SQLAlchemy asks the server about itself, arrives as it is.

It has no transaction, no options and no entry in the pool yet: an event listener that needs one would fail, and its
error would replace the one that it was to hear of.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError
from steward.adapters.database.database import Database
from steward.domain.errors import DatabaseUnavailable, DeadlineExceeded
from steward.testing.contract.steps import add

from tests.conftest import PATIENT

LIMIT = 60.0  # seconds
MOST_ANSWERS = 100  # of the server; more than it gives before a first use is done


class CountingProxy:
    """Passes `answers` answers of the server on, and then does what `then` says: nothing (`silent`), or `close`."""

    def __init__(self, host: str, port: int, answers: int, then: str) -> None:
        self._target = (host, port)
        self._answers = answers
        self._then = then
        self.ended = asyncio.Event()
        self.connected = asyncio.Event()
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.WriteTransport] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator["CountingProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for transport in self._transports:
                transport.abort()

    def let_go(self) -> None:
        self._answers = 1_000_000
        for transport in self._transports:
            transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(*self._target)
        self._transports += [writer.transport, target_writer.transport]
        task = asyncio.create_task(self._questions(reader, target_writer))
        await self._pass_answers(target_reader, writer)
        await task

    async def _questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
            writer.close()

    async def _pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._answers == 0:
                    self.ended.set()
                    if self._then == "close":
                        writer.transport.abort()
                    return
                self._answers -= 1
                writer.write(data)
            writer.close()


Use = Callable[[Database], Coroutine[Any, Any, None]]


async def by_unit(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await add(uow, "ada")


async def by_reading(database: Database) -> None:
    async with database.unit_of_work().reading() as uow:
        await uow.users.count()


async def by_snapshot(database: Database) -> None:
    async with database.unit_of_work().reading(snapshot=True) as uow:
        await uow.users.count()


async def by_session_of_unit(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.session.execute(text("SELECT 1"))


async def by_session(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("SELECT 1"))


async def by_reader(database: Database) -> None:
    async with database.reader() as session:
        await session.execute(text("SELECT 1"))


async def by_ping(database: Database) -> None:
    await database.ping(timeout=LIMIT)


UNITS: list[Use] = [by_unit, by_reading, by_snapshot, by_session_of_unit, by_ping]
USES = [*UNITS, by_session, by_reader]
on_and_off_the_lane = pytest.mark.parametrize("express", [True, False])


@asynccontextmanager
async def stopped(url: str, answers: int, then: str, *, express: bool) -> AsyncIterator[tuple[Database, CountingProxy]]:
    parsed = make_url(url)
    assert parsed.host is not None
    assert parsed.port is not None
    async with CountingProxy(parsed.host, parsed.port, answers, then).open() as proxy:
        through_proxy = parsed.set(port=proxy.port).render_as_string(hide_password=False)
        database = Database(through_proxy, pool=PATIENT, express=express)
        # After SQLAlchemy's own listeners: the first connection is made.
        event.listen(database.engines.pools[0].sync_engine, "connect", lambda *_: proxy.connected.set())
        yield database, proxy
        assert database.checked_out() == 0
        proxy.let_go()
        await database.aclose()


async def until_it_stops(use: Use, database: Database, proxy: CountingProxy) -> asyncio.Task[None]:
    """It is done, or connected, if the server was allowed as many answers as it needs."""
    task = asyncio.create_task(use(database))
    ended = asyncio.create_task(proxy.ended.wait())
    async with asyncio.timeout(LIMIT):
        await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    return task


async def drop(task: asyncio.Task[None], proxy: CountingProxy) -> None:
    proxy.let_go()
    task.cancel()
    await asyncio.wait((task,))


@on_and_off_the_lane
@pytest.mark.parametrize("use", [use for use in USES if use is not by_ping])
async def test_a_cancellation_at_any_step_of_the_first_connection_is_one(
    postgres_url: str, use: Use, express: bool
) -> None:
    for answers in range(MOST_ANSWERS):
        async with stopped(postgres_url, answers, "silent", express=express) as (database, proxy):
            task = await until_it_stops(use, database, proxy)
            if task.done() or proxy.connected.is_set():
                return await drop(task, proxy)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    raise AssertionError("It takes more answers than that")


@on_and_off_the_lane
@pytest.mark.parametrize("use", USES)
async def test_a_server_that_closes_the_first_connection_at_any_step_is_unavailable(
    postgres_url: str, use: Use, express: bool
) -> None:
    for answers in range(MOST_ANSWERS):
        async with stopped(postgres_url, answers, "close", express=express) as (database, proxy):
            task = await until_it_stops(use, database, proxy)
            if not proxy.ended.is_set() or proxy.connected.is_set():
                return await drop(task, proxy)
            try:
                await task
            except DatabaseUnavailable:
                pass
            except (DBAPIError, OSError):  # a plain session raises what SQLAlchemy raises
                assert use not in UNITS
    raise AssertionError("It takes more answers than that")


async def test_a_silent_server_is_a_deadline_for_a_ping_at_any_step_of_the_first_connection(postgres_url: str) -> None:
    for answers in range(MOST_ANSWERS):
        async with stopped(postgres_url, answers, "silent", express=True) as (database, proxy):
            try:
                await database.ping(timeout=0.5)
            except DeadlineExceeded:
                continue
            assert not proxy.ended.is_set()
            return
    raise AssertionError("It takes more answers than that")
