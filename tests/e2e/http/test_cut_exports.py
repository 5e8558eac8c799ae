"""What becomes of an export that cannot go on: it never looks whole. On a real server, because the bytes count."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.service_layer.exports import CHUNK
from steward.service_layer.imports import import_items

from tests.support.http import PASSWORD
from tests.support.postgres import execute
from tests.support.steward_server import StewardServer

# Several times what all the buffers between server and client hold.
LARGE = "🐘" * 10_000
# And more than the system takes for one connection.
COUNT = CHUNK * max(3, 2 + int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2]) // (CHUNK * 4 * len(LARGE)))
LAST_CHUNK = b"\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def one_connection(url_of_module: str) -> Iterator[StewardServer]:
    """A server that notices when a connection is held: there is no other."""
    with StewardServer(url_of_module, pool_size=1) as server:
        server.sign_in()
        yield server


@pytest_asyncio.fixture(scope="module")
async def many_items(one_connection: StewardServer, url_of_module: str) -> None:
    """Large ones, of a user whose name is hoarder."""
    sign_up = {"username": "hoarder", "email": "hoarder@example.org", "password": PASSWORD}
    user_id = one_connection.client.post("/users", json=sign_up).raise_for_status().json()["id"]
    new = [NewItem.of(owner_id=UserId(user_id), name="Box", description=LARGE)] * CHUNK
    async with Database(url_of_module) as database:
        await import_items(database.unit_of_work(), Actor.system(), pieces=lambda: [new] * (COUNT // CHUNK))


@pytest.fixture
def hoarder(one_connection: StewardServer, many_items: None) -> str:
    """An access token."""
    form = {"grant_type": "password", "username": "hoarder", "password": PASSWORD}
    token: str = one_connection.client.post("/auth/token", data=form).raise_for_status().json()["access_token"]
    return token


@asynccontextmanager
async def begun(server: StewardServer, token: str) -> AsyncIterator[asyncio.StreamReader]:
    """An export of which the client has taken the head and little more."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    plug = socket.create_connection((host, int(port)))
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    reader, writer = await asyncio.open_connection(sock=plug, limit=64 * 1024)
    writer.write(f"GET /items/export HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader
    finally:
        writer.transport.abort()


async def _locked_out(server: StewardServer, _: str, token: str) -> None:
    server.client.post("/auth/logout", headers={"Authorization": f"Bearer {token}"}).raise_for_status()


async def _broken(_: StewardServer, url: str, __: str) -> None:
    if url.startswith("postgresql"):
        await execute(url, "ALTER TABLE items RENAME TO kept_items")
    else:
        with sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///")) as database:
            database.execute("ALTER TABLE items RENAME TO kept_items")


async def _mended(url: str) -> None:
    if url.startswith("postgresql"):
        await execute(url, "ALTER TABLE IF EXISTS kept_items RENAME TO items")
    else:
        with sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///")) as database:
            if database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'kept_items'").fetchone():
                database.execute("ALTER TABLE kept_items RENAME TO items")


async def test_a_whole_one_ends_with_the_last_chunk(one_connection: StewardServer, hoarder: str) -> None:
    async with begun(one_connection, hoarder) as answer:
        content = b""
        while not content.endswith(LAST_CHUNK):
            content += await answer.read(2**20)
    assert content.count(b'"name":"Box"') == COUNT


@pytest.mark.parametrize(("happens", "told"), [(_broken, "out of date"), (_locked_out, "sign in again")])
async def test_a_failure_midway_breaks_it_off_and_is_told_in_one_line(
    one_connection: StewardServer,
    url_of_module: str,
    hoarder: str,
    happens: Callable[[StewardServer, str, str], Awaitable[None]],
    told: str,
) -> None:
    before = len(one_connection.errors)
    try:
        async with begun(one_connection, hoarder) as answer:
            await happens(one_connection, url_of_module, hoarder)
            content = await answer.read()
    finally:
        await _mended(url_of_module)
    assert 0 < content.count(b'"name":"Box"') < COUNT
    assert LAST_CHUNK not in content
    assert one_connection.client.get("/items?limit=1").status_code == 200
    for _ in range(1200):  # what it prints comes by another way than its answers
        if one_connection.errors[before:]:
            break
        await asyncio.sleep(0.05)
    (line,) = one_connection.errors[before:]
    assert "/items/export was broken off" in line
    assert told in line


async def test_a_slow_reader_holds_no_connection_and_one_who_leaves_leaves_nothing(
    one_connection: StewardServer, hoarder: str
) -> None:
    before = len(one_connection.errors)
    async with begun(one_connection, hoarder), begun(one_connection, hoarder):
        assert one_connection.client.get("/items?limit=1").status_code == 200
        assert one_connection.client.post("/items", json={"name": "Lid"}).status_code == 201
    assert one_connection.client.get("/items?limit=1").status_code == 200
    assert one_connection.errors[before:] == []
