"""A cancelled statement on SQLite: it stops, the lock is free at once, and the process ends (T2.2)."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.util import greenlet_spawn
from steward.adapters.database.database import Database
from steward.adapters.database.drivers import sqlite

from tests.conftest import PATIENT
from tests.support.notes import ENDLESS

SCRIPT = """
import asyncio, gc, sqlite3, sys
from sqlalchemy import text
from steward.adapters.database.database import Database
from tests.support import cancelling
from tests.support.notes import ENDLESS

async def main(path, style):
    gc.disable()
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.session() as session:
        await session.execute(text("CREATE TABLE t (i INTEGER)"))

    async def work():
        async with database.session() as session:
            await session.execute(text("INSERT INTO t VALUES (1) RETURNING i"))
            await session.execute(ENDLESS["sqlite"])

    await getattr(cancelling, style)(work, cancelling.delay(0.1))
    sqlite3.connect(path, timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
    print("the lock is free")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("style", ["cancel", "double_cancel", "move_on"])
def test_the_lock_is_free_at_once_and_the_process_ends(tmp_path: Path, style: str) -> None:
    """T2.2: without the garbage collector, and although nobody closes the database."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "notes.db"), style],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "the lock is free\n", "")


async def test_a_statement_whose_turn_has_not_come_is_stopped_too(tmp_path: Path) -> None:
    """An interruption hits a statement that runs; this one waits in the connection's thread when it is cancelled."""
    thread_is_free = threading.Event()
    before: list[asyncio.Task[bool]] = []

    async def work(database: Database) -> None:
        async with database.session() as session:
            connection = await (await session.connection()).get_raw_connection()
            driver_connection: Any = connection.driver_connection
            before.append(asyncio.create_task(driver_connection._execute(thread_is_free.wait)))
            await asyncio.sleep(0)
            await session.execute(ENDLESS["sqlite"])

    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'notes.db'}", pool=PATIENT) as database:
        task = asyncio.create_task(work(database))
        while not before:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        thread_is_free.set()
        # Half of what a statement may take: it is the cancellation that stops it.
        await asyncio.wait([task], timeout=PATIENT.statement / 2)
        assert task.cancelled()


async def test_a_connection_that_was_stopped_can_still_be_closed(tmp_path: Path) -> None:
    """Whoever is cancelled while SQLAlchemy drops a connection stops it first and closes it then."""
    connection = await sqlite.connector(
        str(tmp_path / "notes.db"), read_only=False, busy_timeout=1, statement_timeout=60
    )()

    connection.stop()
    async with asyncio.timeout(60):
        await connection.close()


async def test_who_was_cancelled_and_then_late_is_not_interrupted_for_ever(tmp_path: Path) -> None:
    """Both interrupt the statement again and again; when it has ended, neither meets the next one."""
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'notes.db'}", pool=PATIENT) as database:
        pooled = await database.engines.pools[0].raw_connection()
        connection = pooled.driver_connection
        assert isinstance(connection, sqlite.CancellationSafeConnection)
        connection.statement_timeout = 0.02
        may_end = threading.Event()
        slow = asyncio.create_task(connection._to_its_end(may_end.wait, interrupt=True))
        await asyncio.sleep(0)
        slow.cancel()
        await asyncio.sleep(0.05)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await slow
        connection.statement_timeout = None
        counting = (
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT max(i) FROM n"
        )
        assert await connection.fetch(counting) == [(2_000_000,)]
        await greenlet_spawn(pooled.close)  # else its thread would outlive the event loop
