"""`steward serve`: what becomes of slow clients, and of a database that does not answer, when it is told to end."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator

import asyncpg
import httpx2
import pytest
from sqlalchemy import make_url

from ..support.proxy import Proxy
from ..support.server import Server
from ..support.steward_server import StewardServer
from .http.raw_connections import SMALL, all_of, connected, head_of, up_to

NDJSON = "Content-Type: application/x-ndjson"
HEADERS = {"Content-Type": "application/x-ndjson"}
LAST_CHUNK = b"\r\n0\r\n\r\n"
BOX = b'{"name": "Box"}\n'
BIG = b'{"name": "Big", "description": "%s"}\n' % (b"x" * 9_000)


@pytest.fixture
def patient(sqlite_url: str) -> Iterator[StewardServer]:
    with StewardServer(sqlite_url, shutdown_timeout=60) as server:
        server.sign_in()
        yield server


@pytest.fixture
def hurried(sqlite_url: str) -> Iterator[StewardServer]:
    with StewardServer(sqlite_url, shutdown_timeout=1) as server:
        server.sign_in()
        yield server


def add_more_than_buffers_hold(server: StewardServer) -> None:
    for _ in range(10):
        server.client.post("/items/import", content=BIG * 100, headers=HEADERS).raise_for_status()


def test_an_export_under_way_is_sent_to_its_end(patient: StewardServer) -> None:
    add_more_than_buffers_hold(patient)
    with connected(patient, buffer=SMALL) as connection:
        connection.sendall(head_of(patient, "GET /items/export"))
        up_to(connection, b"\n")
        patient.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # it has stopped listening
        assert all_of(connection).endswith(LAST_CHUNK)
    assert patient.wait() == 0


def test_an_export_that_is_not_taken_is_cut_off_and_does_not_look_whole(hurried: StewardServer) -> None:
    add_more_than_buffers_hold(hurried)
    with connected(hurried, buffer=SMALL) as connection:
        connection.sendall(head_of(hurried, "GET /items/export"))
        up_to(connection, b"\n")
        assert hurried.stop() == 1
        assert not all_of(connection).endswith(LAST_CHUNK)
    assert any("1 requests were cut off" in line for line in hurried.errors)


def test_an_import_that_comes_to_its_end_in_time_is_stored(patient: StewardServer) -> None:
    with connected(patient) as connection:
        connection.sendall(_half_an_import(patient))
        up_to(connection, b"100 Continue\r\n\r\n")
        patient.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(BOX * 5)
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"created":10}')
    assert patient.wait() == 0


def test_an_import_that_does_not_come_to_its_end_is_cut_off_and_nothing_of_it_is_stored(
    hurried: StewardServer, sqlite_url: str
) -> None:
    with connected(hurried) as connection:
        connection.sendall(_half_an_import(hurried))
        up_to(connection, b"100 Continue\r\n\r\n")
        assert hurried.stop() == 1
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        assert server.client.get("/items?name=Box").json()["data"] == []


def _half_an_import(server: StewardServer) -> bytes:
    length = f"Content-Length: {10 * len(BOX)}"
    return head_of(server, "POST /items/import", NDJSON, length, "Expect: 100-continue") + BOX * 5


SILENT = {
    "has asked nothing": b"",
    "has sent half of a head": b"GET /livez HTTP/1.1\r\nHost: a\r\n",
    "is idle": b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "sends a body that nobody reads": b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
}


@pytest.mark.parametrize("workers", [1, 2])
def test_nobody_waits_for_clients_whose_turn_it_is(sqlite_url: str, workers: int) -> None:
    server = StewardServer(sqlite_url, "--workers", str(workers), shutdown_timeout=600)
    with server, contextlib.ExitStack() as stack:
        connections = {what: stack.enter_context(connected(server)) for what in SILENT}
        for what, connection in connections.items():
            connection.sendall(SILENT[what])
            if b"\r\n\r\n" in SILENT[what]:
                up_to(connection, b'{"status":"ok"}')
        assert server.stop() == 0
        assert {what: all_of(connection) for what, connection in connections.items()} == dict.fromkeys(SILENT, b"")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a request"])
async def test_a_database_that_does_not_answer_does_not_keep_the_process(
    postgres_url: str, workers: int, busy: bool
) -> None:
    """However many connections it has to part from."""
    url = make_url(postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with Proxy(url.host, url.port).open() as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        times = {"shutdown_timeout": 3, "statement_timeout": 60, "request_timeout": 60}
        server = StewardServer(through, "--workers", str(workers), pool_size=CONNECTIONS, **times)
        await asyncio.to_thread(server.start)
        try:
            await asyncio.to_thread(server.sign_in)
            await _connect_them_all(postgres_url, server)
            proxy.flowing.clear()
            with connected(server) as connection:
                if busy:
                    connection.sendall(head_of(server, "GET /items"))
                    await asyncio.sleep(0.5)
                server.process.send_signal(signal.SIGTERM)
                code = await asyncio.to_thread(server.process.wait, CONNECTIONS)
        finally:
            await asyncio.to_thread(server.kill)
            server.client.close()
    assert code == (1 if busy else 0)


def test_a_database_that_never_lets_go_does_not_keep_it_either() -> None:
    server = Server.of_module("tests.e2e.stuck_server").wait()
    assert httpx2.get(server.url, timeout=60).status_code == 204  # it has started
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert "The database did not answer" in server.stop()


CONNECTIONS = 30
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"


async def _connect_them_all(postgres_url: str, server: StewardServer) -> None:
    """A table is locked until that many requests wait for it, each with a connection."""
    blocker = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    async with httpx2.AsyncClient(base_url=server.url, headers=server.credentials, timeout=60, verify=False) as client:
        async with asyncio.timeout(60), blocker.transaction():
            await blocker.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
            requests = [asyncio.create_task(client.get("/items")) for _ in range(CONNECTIONS)]
            while await blocker.fetchval(WAITING) < CONNECTIONS:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)
        assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}
    await blocker.close()
