"""`steward serve`: how it ends. No request that was sent is lost, and nothing that was acknowledged."""

import asyncio
import json
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse

import httpx2
import pytest
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.service_layer import lists, users

from ..support.steward_server import StewardServer

# Hashing that takes long makes a request that takes long, and holds a thread.
ENDLESS = {"hash_memory": 64 * 1024, "hash_iterations": 400}
LIMIT = 120.0  # seconds; a test that hangs must end


@contextmanager
def _connection(server: StewardServer) -> Iterator[socket.socket]:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT) as connection:
        yield connection


def _send(connection: socket.socket, method: str, path: str, body: object = None) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    connection.sendall(head.encode() + b"\r\n\r\n" + content)


def _answer(connection: socket.socket) -> HTTPResponse:
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response


def _register(connection: socket.socket) -> None:
    _send(connection, "POST", "/users", {"username": "ada", "email": "ada@example.org", "password": "correct horse"})


async def _add_somebody(url: str) -> None:
    """So that the server need not hash a password for a first admin."""
    async with Database(url) as database:
        await users.register_user(database.unit_of_work(), Actor.system(), username="eve", email="eve@example.org")


def _unexpected(server: StewardServer) -> list[str]:
    """The tests' PostgreSQL runs without fsync, which is told once."""
    return [line for line in server.errors if "What is acknowledged may be lost" not in line]


def _wait_until_it_drains(server: StewardServer) -> None:
    """It answers that it takes no more, or takes no more."""
    give_up_at = time.monotonic() + LIMIT
    while time.monotonic() < give_up_at:
        try:
            if server.client.get("/livez").headers.get("connection") == "close":
                return
        except httpx2.TransportError:
            return
        time.sleep(0.02)
    pytest.fail("the signal had no effect")


def _wait_until_it_listens_no_more(server: StewardServer) -> None:
    give_up_at = time.monotonic() + LIMIT
    while time.monotonic() < give_up_at:
        try:
            with _connection(server):
                time.sleep(0.02)
        except OSError:
            return
    pytest.fail("the signal had no effect")


@contextmanager
def _nobody_can_write(url: str) -> Iterator[None]:
    with closing(sqlite3.connect(url.partition("///")[2], isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_graceful_stop_is_exit_code_0_without_a_word(how: signal.Signals, sqlite_url: str) -> None:
    with StewardServer(sqlite_url) as server:
        assert server.client.get("/livez").status_code == 200
        assert server.stop(how) == 0
    assert _unexpected(server) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_sent_before_the_signal_is_answered(workers: int, sqlite_url: str) -> None:
    """Also on a connection that was idle, whose request the server has not read yet."""
    with StewardServer(sqlite_url, "--workers", str(workers), admin_password="correct horse") as server:
        with _connection(server) as connection:
            _send(connection, "GET", "/livez")
            assert _answer(connection).status == 200
            _register(connection)
            server.process.send_signal(signal.SIGTERM)
            assert _answer(connection).status == 201
        assert server.wait() == 0
    assert _unexpected(server) == []


def test_a_request_under_way_is_answered_and_the_client_told_to_leave(sqlite_url: str) -> None:
    with StewardServer(sqlite_url) as server:
        with _connection(server) as connection:
            with _nobody_can_write(sqlite_url):
                _register(connection)
                server.process.send_signal(signal.SIGTERM)
                _wait_until_it_listens_no_more(server)
            answer = _answer(connection)
            assert answer.status == 201
            assert answer.getheader("connection") == "close"
        assert server.wait() == 0
    assert _unexpected(server) == []


def test_while_it_drains_it_answers_and_says_that_it_is_not_ready(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, drain_time=600, shutdown_timeout=600) as server:
        server.sign_in()
        assert server.client.get("/readyz").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        _wait_until_it_drains(server)
        assert server.client.get("/readyz").status_code == 503
        assert server.client.get("/users").status_code == 200
        assert server.stop() == -signal.SIGTERM


async def test_a_request_that_takes_longer_than_the_shutdown_may_is_cut_off(server_url: str) -> None:
    settings = {"shutdown_timeout": 1, "drain_time": 0, **ENDLESS}
    async with Database(server_url) as database:
        # There is somebody, so that no password need be hashed at the start.
        await users.register_user(database.unit_of_work(), Actor.system(), username="eve", email="eve@example.org")
        with StewardServer(server_url, **settings) as server, _connection(server) as connection:
            _register(connection)
            # What came first has been read when this is answered: it is under way, not on its way.
            assert server.client.get("/livez").status_code == 200
            assert server.stop() == 1
        stored = await lists.list_users(database.unit_of_work(), Actor.system())
    assert [user.username for user in stored] == ["eve"]
    assert any("1 requests were cut off" in line for line in server.errors)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_second_signal_ends_it_at_once(workers: int, sqlite_url: str) -> None:
    await _add_somebody(sqlite_url)
    options = "--workers", str(workers)
    with StewardServer(sqlite_url, *options, shutdown_timeout=600, **ENDLESS) as server, _connection(server) as waiting:
        _register(waiting)
        server.process.send_signal(signal.SIGTERM)
        _wait_until_it_drains(server)
        assert server.stop() == -signal.SIGTERM


async def test_every_acknowledged_write_under_load_is_there_afterwards(server_url: str) -> None:
    """T11.1 of the pitfalls; after a kill -9, T11.2: tests/faults/test_killed_server.py."""
    async with Database(server_url) as database:
        with StewardServer(server_url, "--workers", "2") as server:
            server.sign_in()
            acknowledged: list[int] = []
            enough = threading.Event()
            load = server.url, server.credentials, acknowledged, enough
            writers = [threading.Thread(target=_write_until_it_ends, args=load) for _ in range(2)]
            for writer in writers:
                writer.start()
            assert enough.wait(LIMIT)
            assert server.stop() == 0
            for writer in writers:
                writer.join()
        stored = {item.id for item in await lists.list_items(database.unit_of_work(), Actor.system(), limit=100_000)}
    assert set(acknowledged) <= stored


async def test_no_connection_is_left_behind_in_the_database(postgres_url: str) -> None:
    with StewardServer(postgres_url) as server:
        server.sign_in()
        assert server.client.get("/users").status_code == 200
        assert server.stop() == 0
    ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with Database(postgres_url) as database, database.session() as session:
        connection = await session.connection()
        async with asyncio.timeout(LIMIT):
            while (await connection.exec_driver_sql(ours)).scalar_one():  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)


def test_workers_end_when_their_supervisor_is_killed(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, "--workers", "2") as server:
        # Their output is ours too: it ends when the last of them has ended.
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        with pytest.raises(httpx2.TransportError):
            httpx2.get(f"{server.url}/livez")


def _write_until_it_ends(
    url: str, credentials: dict[str, str], acknowledged: list[int], enough: threading.Event
) -> None:
    with httpx2.Client(base_url=url, headers=credentials, timeout=LIMIT) as client:
        while True:
            try:
                answer = client.post("/items", json={"name": "Box"})
            except httpx2.TransportError:
                return
            assert answer.status_code == 201
            acknowledged.append(answer.json()["id"])
            if len(acknowledged) >= 50:
                enough.set()
