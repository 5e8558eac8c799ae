"""The session as a dependency, over a real socket (T1.1, T1.2, T2.4, T3.2).

In-process clients answer only after the commit, and so cannot see a commit that comes too late.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text
from steward.adapters.database.database import Database

from tests.conftest import PATIENT, Postgres
from tests.support.notes import Note, create_tables, texts
from tests.support.server import Server

PATIENCE = 90.0  # seconds, of a busy machine


@pytest_asyncio.fixture(scope="module")
async def urls(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    url = await postgres.create(empty=True)
    yield {"postgres": url, "sqlite": f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('e2e') / 'notes.db'}"}
    await postgres.drop(url)


@pytest.fixture(scope="module")
def servers(urls: dict[str, str]) -> Iterator[dict[str, Server]]:
    """Starting one takes longer than any of the tests."""
    with contextlib.ExitStack() as stack:
        yield {backend: stack.enter_context(serving(url)) for backend, url in urls.items()}


@pytest_asyncio.fixture
async def notes(server_backend: str, urls: dict[str, str]) -> AsyncIterator[Database]:
    async with Database(urls[server_backend], pool=PATIENT) as database:
        await create_tables(database)
        yield database


@pytest_asyncio.fixture
async def client(server_backend: str, servers: dict[str, Server]) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=servers[server_backend].url, timeout=PATIENCE) as client:
        yield client


@contextlib.contextmanager
def serving(url: str, *, workers: int = 1) -> Iterator[Server]:
    server = Server.of_module("tests.e2e.plain_session_app", url, str(workers))
    try:
        yield server.wait()
    finally:
        server.stop()


async def test_a_commit_that_fails_is_never_answered_with_success(notes: Database, client: httpx2.AsyncClient) -> None:
    """T1.1, on both databases: a deferred foreign key."""
    assert (await client.post("/replies/1000000")).status_code == 409
    assert (await client.post("/notes/kept")).status_code == 201
    assert (await client.post("/replies/1")).status_code == 201
    assert await texts(notes) == {"kept"}


async def test_a_deferred_duplicate_is_refused(urls: dict[str, str], servers: dict[str, Server]) -> None:
    """T1.1: SQLite has no unique constraints that are checked by COMMIT."""
    there = httpx2.AsyncClient(base_url=servers["postgres"].url, timeout=PATIENCE)
    async with Database(urls["postgres"], pool=PATIENT) as database, there as client:
        async with database.session() as session:
            await session.execute(text("CREATE TABLE names (name TEXT UNIQUE DEFERRABLE INITIALLY DEFERRED)"))

        assert (await client.post("/names/twice")).status_code == 201
        assert (await client.post("/names/twice")).status_code == 409

        async with database.reader() as session:
            assert await session.scalar(text("SELECT count(*) FROM names")) == 1


async def test_what_was_acknowledged_survives_a_kill(
    notes: Database, server_backend: str, urls: dict[str, str]
) -> None:
    """T1.2: eight servers are killed when their status line arrives; committed too late, half of it is lost."""
    with serving(urls[server_backend], workers=8) as server:
        statuses = [await post_and_kill(server, f"/notes/{number}") for number in range(8)]

    assert [status.split()[1] for status in statuses] == [b"201"] * 8
    assert await texts(notes) == {str(number) for number in range(8)}


async def post_and_kill(server: Server, path: str) -> bytes:
    """The status line; the worker that sent it has not lived to see another moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    pid = int(await reader.read(100))
    writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    status = await reader.readline()
    os.kill(pid, signal.SIGKILL)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return status


async def test_streams_hold_no_connection_after_their_end(notes: Database, client: httpx2.AsyncClient) -> None:
    """T2.4: fifty of them, on a pool of three."""
    async with notes.session() as session:
        session.add_all([Note(text=f"line {number}") for number in range(200)])

    answers = await asyncio.gather(*(client.get("/stream") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text.count("\n") for answer in answers} == {200}
    assert (await client.get("/checked-out")).json() == 0


async def test_a_careless_handler_harms_nobody_else(notes: Database, client: httpx2.AsyncClient) -> None:
    """T3.2"""
    careless = await asyncio.gather(*(client.post("/careless") for _ in range(3)))
    good = [await client.post(f"/notes/{number}") for number in range(20)]

    assert [answer.status_code for answer in careless] == [500] * 3
    assert [answer.status_code for answer in good] == [201] * 20
    assert (await client.get("/checked-out")).json() == 0
