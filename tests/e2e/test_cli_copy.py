"""`steward db copy`, run as people run it: what a server finds after it, and what is left when it was ended."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import func, select
from steward.adapters.database.database import Database
from steward.adapters.database.tables import metadata
from steward.testing import given_user

from ..conftest import Postgres
from ..support.ended import hears_ctrl_c
from ..support.filling import fill_items, fill_users
from ..support.steward_command import steward
from ..support.steward_server import PATIENT, StewardServer, environment

ITEMS = int(os.environ.get("STEWARD_TEST_ITEMS", "3000"))
MOST_MEMORY = 250 * 1024  # KiB, however many items there are
PASSWORD = "correct horse battery"
LIMIT = 120.0  # seconds

# A child inherits the peak of whoever started it, so a small process starts it and tells what it used.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


async def row_counts(url: str) -> dict[str, int]:
    async with Database(url) as database, database.reader() as session:
        return {
            name: (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in metadata.tables.items()
        }


async def fill(url: str, items: int) -> None:
    async with Database(url) as database:
        await fill_users(database, 10)
        await fill_items(database, items, owners=10)


async def test_the_server_goes_on_where_it_was(sqlite_url: str, postgres_url: str) -> None:
    key = {"Idempotency-Key": "a-key-of-mine-0001"}
    limits = {"rate_limits": True, "rate_limit_sign_in": "3/1h"}
    new = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    with StewardServer(sqlite_url, **limits) as server:
        assert server.client.post("/users", json=new).status_code == 201
        server.sign_in("ada", PASSWORD)
        old_session = server.credentials
        box = server.client.post("/items", json={"name": "Box"}, headers=key).json()
        for _ in range(2):
            form = {"grant_type": "password", "username": "ada", "password": "wrong"}
            server.client.post("/auth/token", data=form)
    done = steward("db", "copy", sqlite_url, postgres_url)
    assert done.returncode == 0, done.stderr
    with StewardServer(postgres_url, **limits) as server:
        me = server.client.get("/users/me", headers=old_session)
        assert (me.status_code, me.json()["username"]) == (200, "ada")
        again = server.client.post("/items", json={"name": "Box"}, headers=key | old_session)
        assert again.json() == box
        assert len(server.client.get("/items", headers=old_session).json()["data"]) == 1
        # The first attempt after the copy is the third: the one after it is too many.
        server.sign_in("ada", PASSWORD)
        form = {"grant_type": "password", "username": "ada", "password": "wrong"}
        codes = [server.client.post("/auth/token", data=form).status_code for _ in range(4)]
        assert codes[-1] == 429


async def test_it_tells_what_it_has_copied(sqlite_url: str, postgres_url: str) -> None:
    await fill(sqlite_url, 20)
    done = steward("db", "copy", sqlite_url, postgres_url)
    assert done.returncode == 0, done.stderr
    told = re.findall(r"^(\w+) +(\d+)  [0-9a-f]{32}$", done.stdout, flags=re.MULTILINE)
    assert {name: int(rows) for name, rows in told} == await row_counts(postgres_url)
    assert {name for name, _ in told} == set(metadata.tables)
    assert "30/30" in done.stderr
    again = steward("db", "copy", sqlite_url, postgres_url)
    assert (again.returncode, again.stderr) == (1, "Error: The target is not empty: there are rows in users\n")


async def test_an_empty_database_gets_its_schema_if_it_is_said(sqlite_url: str, postgres: Postgres) -> None:
    url = await postgres.create(empty=True)
    refused = steward("db", "copy", sqlite_url, url)
    assert (refused.returncode, "copy with --migrate" in refused.stderr) == (1, True)
    assert steward("db", "copy", sqlite_url, url, "--migrate").returncode == 0
    await postgres.drop(url)


async def test_many_items_are_copied_in_little_memory(sqlite_url: str, postgres_url: str) -> None:
    await fill(sqlite_url, ITEMS)
    assert peak_memory("db", "copy", sqlite_url, postgres_url) < MOST_MEMORY
    assert (await row_counts(postgres_url))["items"] == ITEMS


def peak_memory(*arguments: str) -> int:
    """Of the command, run to its end, in KiB."""
    command = [sys.executable, "-S", "-c", MEASURED, sys.executable, "-m", "steward", *arguments]
    return int(subprocess.run(command, stdout=subprocess.PIPE, env=environment(**PATIENT), check=True).stdout)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_a_copy_that_was_ended_leaves_nothing(sqlite_url: str, postgres_url: str, how: signal.Signals) -> None:
    await fill(sqlite_url, 3_000)
    async with stopped_at_the_items(postgres_url) as connection:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "steward", "db", "copy", sqlite_url, postgres_url),
            stderr=subprocess.DEVNULL,
            env=environment(**PATIENT),
            preexec_fn=hears_ctrl_c,
        )
        async with asyncio.timeout(LIMIT):
            while not await connection.fetchval(STOPPED):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)
            process.send_signal(how)
            assert await process.wait() == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert not any((await row_counts(postgres_url)).values())
    assert steward("db", "copy", sqlite_url, postgres_url).returncode == 0


# Whoever writes an item waits for the advisory lock.
STOP = """
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
CREATE TRIGGER stop BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION stop();
SELECT pg_advisory_lock(1);
"""
STOPPED = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
GO_ON = "SELECT pg_advisory_unlock(1)"
FORGET = "DROP TRIGGER stop ON items; DROP FUNCTION stop()"


@asynccontextmanager
async def stopped_at_the_items(url: str) -> AsyncIterator[asyncpg.Connection]:
    """At the end of the block no transaction has the tables any more."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(STOP)
        yield connection
        await connection.execute(GO_ON)
        await connection.execute(FORGET)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("postgresql+asyncpg://u:s3cr3t@h/d", "sqlite+aiosqlite:///new.db", "the one way is from SQLite to PostgreSQL"),
        ("sqlite+aiosqlite:///:memory:", "postgresql+asyncpg://u:s3cr3t@h/d", "a database in memory belongs to"),
        ("sqlite+aiosqlite:///nowhere.db", "postgresql+asyncpg://u:s3cr3t@h/d", "There is no file nowhere.db"),
        ("nonsense", "postgresql+asyncpg://u:s3cr3t@h/d", "SQLITE_URL: is not a database URL"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(source: str, target: str, told: str, tmp_path: Path) -> None:
    done = steward("db", "copy", source, target, directory=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cr3t" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_reached_is_named_without_its_password(sqlite_url: str) -> None:
    nobody_listens = "postgresql+asyncpg://steward@127.0.0.1:1/steward"
    done = steward("db", "copy", sqlite_url, nobody_listens, database_password="s3cr3t")
    assert done.returncode == 1
    assert "postgresql+asyncpg://steward:***@127.0.0.1:1/steward" in done.stderr
    assert "s3cr3t" not in done.stderr


def test_a_copy_that_takes_too_long_is_given_up(sqlite_url: str, postgres_url: str) -> None:
    done = steward("db", "copy", sqlite_url, postgres_url, backup_timeout=0.001)
    assert (done.returncode, done.stderr) == (1, "Error: It took longer than it may, and was rolled back\n")


async def test_where_the_secret_is_kept_is_told(sqlite_url: str, postgres_url: str) -> None:
    path = Path(sqlite_url.partition("///")[2])
    async with Database(sqlite_url) as database:
        await given_user(database)
    secret = path.with_name(f"{path.name}.secret-key")
    secret.write_text("not a secret, but long enough for one\n")
    secret.chmod(0o600)
    done = steward("db", "copy", sqlite_url, postgres_url)
    assert f"STEWARD_SECRET_KEY_FILE={secret}" in done.stderr
    with StewardServer(postgres_url, secret_key=None, secret_key_file=secret) as server:
        assert server.client.get("/readyz").status_code == 200
