"""`steward serve`: what becomes of slow clients, and of a database that does not answer, when it is told to end."""

import asyncio
import contextlib
import select
import signal
import socket
import time
from collections.abc import Iterator

import asyncpg
import httpx2
import pytest
from sqlalchemy import make_url

from ..support.proxy import Proxy
from ..support.server import Server
from ..support.steward_server import StewardServer
from .http.raw_connections import LIMIT, SMALL, all_of, connected, head_of, up_to

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


@pytest.fixture(scope="module")
def held_by_buffers() -> int:
    """How much this machine takes from a server for a client that takes nothing, in bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            held = 0
            while select.select([], [server], [], 1.0)[1]:
                held += server.send(bytes(65536))
    return held


def add_more_than_buffers_hold(server: StewardServer, held: int) -> None:
    """Far more: they grow while something is taken, and the server has one of its own."""
    for _ in range((3 * held + 2_000_000) // (100 * len(BIG)) + 1):
        server.client.post("/items/import", content=BIG * 100, headers=HEADERS).raise_for_status()


def begin_export(server: StewardServer, connection: socket.socket) -> None:
    """One byte of the answer is taken, and no more: the rest waits."""
    connection.sendall(head_of(server, "GET /items/export"))
    assert connection.recv(1) == b"H"


def stop_listening(server: StewardServer) -> None:
    server.process.send_signal(signal.SIGTERM)
    give_up_at = time.monotonic() + LIMIT
    while True:
        try:
            with connected(server):
                assert time.monotonic() < give_up_at, "the signal had no effect"
                time.sleep(0.02)
        except OSError:
            return


def test_an_export_under_way_is_sent_to_its_end(patient: StewardServer, held_by_buffers: int) -> None:
    add_more_than_buffers_hold(patient, held_by_buffers)
    with connected(patient, buffer=SMALL) as connection:
        begin_export(patient, connection)
        stop_listening(patient)
        assert all_of(connection).endswith(LAST_CHUNK)
    assert patient.wait() == 0


def test_an_export_that_is_not_taken_is_cut_off_and_does_not_look_whole(
    hurried: StewardServer, held_by_buffers: int
) -> None:
    add_more_than_buffers_hold(hurried, held_by_buffers)
    with connected(hurried, buffer=SMALL) as connection:
        begin_export(hurried, connection)
        assert hurried.stop() == 1
        assert not all_of(connection).endswith(LAST_CHUNK)
    assert any("1 requests were cut off" in line for line in hurried.errors)


def test_an_import_that_comes_to_its_end_in_time_is_stored(patient: StewardServer) -> None:
    with connected(patient) as connection:
        connection.sendall(_half_an_import(patient))
        up_to(connection, b"100 Continue\r\n\r\n")
        stop_listening(patient)
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


@pytest.mark.parametrize(("busy", "workers"), [(False, 1), (True, 2)], ids=["idle", "with a request"])
async def test_a_database_that_does_not_answer_does_not_keep_the_process(
    postgres_url: str, workers: int, busy: bool
) -> None:
    """However many connections it has to part from."""
    url = make_url(postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with Proxy(url.host, url.port).open() as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        times = {"shutdown_timeout": 3 if busy else 60}
        server = StewardServer(through, "--workers", str(workers), pool_size=CONNECTIONS, **times)
        await asyncio.to_thread(server.start)
        try:
            await asyncio.to_thread(server.sign_in)
            await _connect_them_all(postgres_url, server)
            proxy.flowing.clear()
            with connected(server) as connection:
                if busy:
                    connection.sendall(head_of(server, "GET /items"))
                    await asyncio.wait_for(proxy.held.wait(), LIMIT)  # it is asking the database
                server.process.send_signal(signal.SIGTERM)
                code = await asyncio.to_thread(server.process.wait, LIMIT)
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


CONNECTIONS = 30  # a few seconds for each of them would be more than LIMIT
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
