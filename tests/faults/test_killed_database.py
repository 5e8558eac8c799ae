"""The database dies under load and comes back, the server lives: nothing is lost, and every request is answered."""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE

from tests.support.postgres import PostgresServer

from .databases import fresh_database
from .journal import stored_in
from .processes import kill_all, with_children
from .report import Outcome
from .servers import kill, running
from .workload import BACK_WITHIN, WRITERS, Workload

_SLOWEST = 10.0  # seconds


async def check(backend: str, *, rounds: int) -> Outcome:
    """On PostgreSQL kill -9 of all its processes, and its immediate stop, by turns. SQLite is no process: there
    another process holds the write lock for longer than the server waits and dies in its transaction, by turns with a
    second server on the same file that is killed while it writes."""
    outcome = Outcome("killed database", backend, {"rounds": rounds, "writers": WRITERS})
    await (_sqlite if backend == "sqlite" else _postgres)(outcome, rounds)
    return outcome


async def _postgres(outcome: Outcome, rounds: int) -> None:
    postgres = await asyncio.to_thread(PostgresServer, durable=True)
    url = postgres.url("postgres")
    try:
        async with running(url) as server:
            load = Workload()
            await load.prepare(server)
            async with load.under_way(server.url):
                await load.until_acknowledged(WRITERS, within=BACK_WITHIN)
                for number in range(rounds):
                    await asyncio.to_thread(_crash, postgres, with_all=number % 2 == 0)
                    await asyncio.sleep(random.uniform(0, 2))
                    await asyncio.to_thread(postgres.start)
                    await load.until_back(outcome)
            load.report_answers(outcome, slowest=_SLOWEST)
        load.journal.compare(await stored_in(url, load.journal.pairs), outcome)
    finally:
        await asyncio.to_thread(postgres.stop)


def _crash(postgres: PostgresServer, *, with_all: bool) -> None:
    if with_all:
        kill_all(with_children(int((postgres.data / "postmaster.pid").read_text().split()[0])))
    postgres.stop(how=signal.SIGKILL if with_all else signal.SIGQUIT, keep=True)


async def _sqlite(outcome: Outcome, rounds: int) -> None:
    async with fresh_database("sqlite") as url, running(url) as server:
        load = Workload()
        await load.prepare(server)
        async with load.under_way(server.url):
            await load.until_acknowledged(WRITERS, within=BACK_WITHIN)
            for number in range(rounds):
                await (_kill_a_second_server if number % 2 else _lock_the_file)(url, load, outcome)
                await load.until_back(outcome)
        load.report_answers(outcome, slowest=_SLOWEST)
        load.journal.compare(await stored_in(url, load.journal.pairs), outcome)


async def _lock_the_file(url: str, load: Workload, outcome: Outcome) -> None:
    locker = await asyncio.create_subprocess_exec(sys.executable, "-c", _LOCKER, url.partition("///")[2], stdout=PIPE)
    try:
        assert locker.stdout is not None
        await locker.stdout.readline()
        await asyncio.sleep(random.uniform(3, 4))  # SQLite waits for 2
    finally:
        locker.kill()
        await locker.communicate()


_LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM items")
print("locked", flush=True)
time.sleep(60)
"""


async def _kill_a_second_server(url: str, load: Workload, outcome: Outcome) -> None:
    async with running(url) as second:
        writing = asyncio.create_task(load.until_the_server_is_gone(second.url))
        await asyncio.sleep(random.uniform(0.2, 0.7))
        await kill(second)
        await writing


async def test_a_killed_database_has_lost_nothing_and_every_request_was_answered(server_backend: str) -> None:
    outcome = await check(server_backend, rounds=2)
    assert outcome.violations == []
