"""Clients that are slow: each thing that a server waits for has its time, and then nothing is held any more."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping

import pytest

from tests.support.steward_server import StewardServer

from .raw_connections import SMALL, all_of, connected, head_of, trickling, up_to, wait_until_cut_off

LIVE = b'{"status":"ok"}'
BOX = b'{"name": "Box"}\n'


@pytest.fixture(scope="module")
def server(sqlite_of_module: str) -> Iterator[StewardServer]:
    """One that has little patience, and two connections to its database: for who writes, and for who reads."""
    timeouts = {
        "head_timeout": 2,
        "body_timeout": 2,
        "import_idle_timeout": 3,
        "import_body_timeout": 5,
        "send_timeout": 3,
    }
    with StewardServer(sqlite_of_module, pool_size=1, **timeouts) as server:
        server.sign_in()
        yield server


def serves(server: StewardServer) -> bool:
    made = server.client.post("/items", json={"name": "Lid"})
    return server.client.get(f"/items/{made.json()['id']}").status_code == 200


# The head

HEADS = {
    "half of a request line": b"GET /liv",
    "no end of the headers": b"GET /livez HTTP/1.1\r\nHost: a\r\n",
    "half of a header": b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Thing: b",
}


def test_a_head_that_does_not_end_is_told_so_and_hung_up_on(server: StewardServer) -> None:
    assert_told_so(server, HEADS)


def assert_told_so(server: StewardServer, beginnings: Mapping[str, bytes]) -> None:
    """All at once, because each takes the time that a client has."""
    with contextlib.ExitStack() as stack:
        connections = {name: stack.enter_context(connected(server)) for name in beginnings}
        for name, connection in connections.items():
            connection.sendall(beginnings[name])
        for name, connection in connections.items():
            answer = all_of(connection)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), name
            assert b'"code":"request_timeout"' in answer, name
            assert b"connection: close\r\n" in answer, name


async def test_a_head_that_comes_byte_by_byte_takes_no_longer(server: StewardServer) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Thing: ")
        async with trickling(connection, b"a", pause=0.05):
            answer = await asyncio.to_thread(all_of, connection)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_asks_nothing_is_hung_up_on_without_a_word(server: StewardServer) -> None:
    with connected(server) as silent, connected(server) as sending_a_blank_line:
        sending_a_blank_line.sendall(b"\r\n")
        assert all_of(silent) == all_of(sending_a_blank_line) == b""


def test_the_second_head_of_a_connection_has_its_time_too(server: StewardServer) -> None:
    with connected(server) as connection:
        connection.sendall(head_of(server, "GET /livez"))
        up_to(connection, LIVE)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
        assert all_of(connection).startswith(b"HTTP/1.1 408 ")


def test_a_head_behind_a_request_is_refused_after_the_answer_to_that(server: StewardServer) -> None:
    with connected(server) as connection:
        connection.sendall(head_of(server, "GET /livez") + b"GET /livez HTTP/1.1\r\n")
        first, _, second = all_of(connection).partition(LIVE)
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 408 ")


# The body

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = "Transfer-Encoding: chunked"
BODIES = {
    "the rest is missing": ("POST /items", (JSON, "Content-Length: 100"), b'{"name": '),
    "all of it is missing": ("PATCH /users/1", (JSON, "Content-Length: 100"), b""),
    "the last chunk is missing": ("POST /items", (JSON, CHUNKED), b"2\r\n{}\r\n"),
    "a trailer does not end": ("POST /items", (JSON, CHUNKED), b"2\r\n{}\r\n0\r\nX-Thing: a"),
    "of a batch": ("POST /items/batch", (JSON, "Content-Length: 100"), b"{"),
    "of a form": ("POST /auth/token", (FORM, "Content-Length: 100"), b"grant_type=pass"),
}


def test_a_body_that_does_not_end_is_told_so_and_hung_up_on(server: StewardServer) -> None:
    assert_told_so(
        server, {name: head_of(server, line, *headers) + body for name, (line, headers, body) in BODIES.items()}
    )


async def test_a_body_that_comes_byte_by_byte_takes_no_longer(server: StewardServer) -> None:
    with connected(server) as connection:
        connection.sendall(head_of(server, "POST /items", JSON, "Content-Length: 1000"))
        async with trickling(connection, b" ", pause=0.05):
            answer = await asyncio.to_thread(all_of, connection)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_is_told_to_go_on_and_does_not_is_told_so(server: StewardServer) -> None:
    with connected(server) as connection:
        connection.sendall(head_of(server, "POST /items", JSON, "Content-Length: 100", "Expect: 100-continue"))
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ")


async def test_for_the_rest_of_a_body_that_nobody_reads_the_server_does_not_wait_for_ever(
    server: StewardServer,
) -> None:
    with connected(server) as connection:
        connection.sendall(head_of(server, "GET /livez", "Content-Length: 1000"))
        async with trickling(connection, b" ", pause=0.05):
            answer = await asyncio.to_thread(all_of, connection)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


# An import

NDJSON = "Content-Type: application/x-ndjson"


async def test_a_users_places_for_imports_are_free_again(server: StewardServer) -> None:
    """Four may be under way at once: of clients who stand still, and of those who only seem to go on."""
    with contextlib.ExitStack() as imports:
        connections = [imports.enter_context(connected(server)) for _ in range(4)]
        for connection in connections:
            connection.sendall(head_of(server, "POST /items/import", NDJSON, "Content-Length: 100000") + BOX)
        async with trickling(connections[0], b"\n", pause=0.05), trickling(connections[1], b"\n", pause=0.05):
            answers = [await asyncio.to_thread(all_of, connection) for connection in connections]
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 408 "] * 4
    assert [b"did not come within 5 seconds" in answer for answer in answers] == [True, True, False, False]
    again = server.client.post("/items/import", content=BOX, headers={"Content-Type": "application/x-ndjson"})
    assert again.json() == {"created": 1}


# The answer


@pytest.fixture(scope="module")
def much(server: StewardServer) -> int:
    """Items enough that no buffer holds twenty of their exports; how many bytes they are, more or less."""
    line = b'{"name": "Big", "description": "%s"}\n' % (b"x" * 9_000)
    headers = {"Content-Type": "application/x-ndjson"}
    for _ in range(8):
        server.client.post("/items/import", content=line * 100, headers=headers).raise_for_status()
    return 8 * 100 * 9_000


@pytest.mark.parametrize("path", ["/items/export", "/items?limit=200"])
def test_a_client_that_takes_nothing_of_its_answers_is_cut_off(server: StewardServer, much: int, path: str) -> None:
    with connected(server, buffer=SMALL) as connection:
        connection.sendall(head_of(server, f"GET {path}") * 20)
        assert wait_until_cut_off(connection)
        assert len(all_of(connection)) < much
    assert serves(server)


async def test_one_who_takes_a_little_all_the_time_is_not(server: StewardServer, much: int) -> None:
    with connected(server, buffer=SMALL) as connection:
        connection.sendall(head_of(server, "GET /items/export"))
        for _ in range(120):  # twice the time that one may take nothing
            assert connection.recv(SMALL)
            await asyncio.sleep(0.05)


def test_an_idle_connection_is_kept_for_as_long_as_the_setting_says(server: StewardServer) -> None:
    """uvicorn's own time is 5 s, and what stands in front keeps connections for longer."""
    with connected(server) as connection:
        for pause in (5.5, 0):
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            up_to(connection, LIVE)
            time.sleep(pause)


def test_nothing_of_all_this_is_an_error_and_nothing_is_held_at_the_end(sqlite_of_module: str, much: int) -> None:
    with StewardServer(sqlite_of_module, head_timeout=2, send_timeout=2) as server:
        server.sign_in()
        with connected(server, buffer=SMALL) as taking_nothing, connected(server) as silent:
            taking_nothing.sendall(head_of(server, "GET /items/export") * 20)
            assert wait_until_cut_off(taking_nothing)
            assert all_of(silent) == b""
            assert server.stop() == 0
    assert not [line for line in server.errors if "rror" in line or "Traceback" in line]
