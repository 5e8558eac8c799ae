"""Clients that leave at any point: what has begun is finished, what has not does not begin, nothing stays behind."""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.steward_server import StewardServer

from .raw_connections import SMALL, all_of, connected, head_of, reset, up_to

JSON = "Content-Type: application/json"
NDJSON = "Content-Type: application/x-ndjson"
LINE = b'{"name": "Big", "description": "%s"}\n' % (b"x" * 9_000)
# So many in a row are more than the server's system takes for a connection, whatever the client takes.
EXPORTS = 1 + int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2]) // (1_000 * len(LINE))


def _finishes(connection: socket.socket) -> None:
    connection.close()


def _sends_no_more(connection: socket.socket) -> None:
    """And would still take an answer; that is leaving, too."""
    connection.shutdown(socket.SHUT_WR)
    all_of(connection)


WAYS: dict[str, Callable[[socket.socket], None]] = {"FIN": _finishes, "RST": reset, "half-close": _sends_no_more}


@pytest.fixture(scope="module")
def server(url_of_module: str) -> Iterator[StewardServer]:
    """One that notices when a connection to its database is held: it has one for each kind of use."""
    with StewardServer(url_of_module, pool_size=1, shutdown_timeout=60) as server:
        server.sign_in()
        headers = {"Content-Type": "application/x-ndjson"}
        for _ in range(10):
            server.client.post("/items/import", content=LINE * 100, headers=headers).raise_for_status()
        yield server


def names(server: StewardServer, name: str) -> int:
    return int(server.client.get("/items", params={"name": name, "count": "true", "limit": 1}).json()["count"])


def post(server: StewardServer, body: bytes) -> bytes:
    return head_of(server, "POST /items", JSON, f"Content-Length: {len(body)}") + body


def errors(server: StewardServer) -> list[str]:
    return [line for line in server.errors if re.search(r'ERROR|CRITICAL|"level":"(error|critical)"|Traceback', line)]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_whoever_leaves_before_the_end_of_a_request_stores_nothing(
    server: StewardServer, way: Callable[[socket.socket], None]
) -> None:
    request = post(server, b'{"name": "never whole"}')
    cuts = [0, 1, 20, request.index(b"\r\n\r\n"), request.index(b"\r\n\r\n") + 4, len(request) - 5, len(request) - 1]
    for cut in cuts:
        with connected(server) as connection:
            connection.sendall(request[:cut])
            time.sleep(0.01)  # so that some of it has been read
            way(connection)
    assert names(server, "never whole") == 0
    assert errors(server) == []


def test_a_request_that_has_come_is_finished_although_nobody_waits_for_the_answer(server: StewardServer) -> None:
    for _ in range(10):
        with connected(server) as connection:
            connection.sendall(post(server, b'{"name": "alone"}'))
    for _ in range(600):
        if names(server, "alone") == 10:
            break
        time.sleep(0.05)
    assert names(server, "alone") == 10
    assert errors(server) == []


def test_after_a_reset_a_request_was_done_once_or_not_begun(server: StewardServer) -> None:
    for number in range(30):
        with connected(server) as connection:
            connection.sendall(post(server, b'{"name": "reset %d"}' % number))
            time.sleep(number / 3000)
            reset(connection)
    assert server.client.post("/items", json={"name": "the last"}).status_code == 201  # behind all of them
    assert all(names(server, f"reset {number}") in (0, 1) for number in range(30))
    assert errors(server) == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("path", ["/items/export", "/items?limit=200"])
def test_whoever_leaves_in_the_middle_of_an_answer_leaves_nothing_behind(
    server: StewardServer, path: str, way: Callable[[socket.socket], None]
) -> None:
    for pieces in (0, 1, 25):
        with connected(server, buffer=SMALL) as connection:
            connection.sendall(head_of(server, f"GET {path}"))
            for _ in range(pieces):
                assert connection.recv(SMALL)
            way(connection)
    assert server.client.post("/items", json={"name": "after them"}).status_code == 201
    assert errors(server) == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_whoever_leaves_in_the_middle_of_an_import_adds_nothing_and_frees_the_place(
    server: StewardServer, way: Callable[[socket.socket], None]
) -> None:
    for _ in range(8):  # twice as many as one user may send at once
        with connected(server) as connection:
            head = head_of(server, "POST /items/import", NDJSON, "Content-Length: 100000", "Expect: 100-continue")
            connection.sendall(head)
            up_to(connection, b"100 Continue\r\n\r\n")
            connection.sendall(b'{"name": "half"}\n' * 100)
            way(connection)
    content = b'{"name": "whole"}\n'
    headers = {"Content-Type": "application/x-ndjson"}
    for _ in range(600):  # the last one's place may be taken for a moment more
        answer = server.client.post("/items/import", content=content, headers=headers)
        if answer.status_code != 503:
            break
        time.sleep(0.05)
    assert answer.json() == {"created": 1}
    assert names(server, "half") == 0
    assert errors(server) == []


def test_of_several_requests_sent_at_once_those_that_have_not_begun_do_not_begin(server: StewardServer) -> None:
    """The answers before it are too long to be sent to somebody who takes nothing, so the last request has to wait."""
    with connected(server, buffer=SMALL) as connection:
        connection.sendall(head_of(server, "GET /items/export") * EXPORTS + post(server, b'{"name": "pipelined"}'))
        assert connection.recv(1)
        reset(connection)
    assert server.client.post("/items", json={"name": "after it"}).status_code == 201
    assert names(server, "pipelined") == 0
    assert errors(server) == []


def test_an_idle_connection_ends_after_its_time(sqlite_of_module: str) -> None:
    with StewardServer(sqlite_of_module, keep_alive_timeout=0.5) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connected(server)) for _ in range(3)]
        for connection in connections:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            up_to(connection, b'{"status":"ok"}')
        connections[1].sendall(b"\r\n")  # which begins no request
        assert [all_of(connection) for connection in connections] == [b"", b"", b""]


def test_an_export_that_takes_too_long_is_broken_off(url_of_module: str, server: StewardServer) -> None:
    def told() -> list[str]:
        return [line for line in hurried.errors if "was broken off" in line]

    with StewardServer(url_of_module, export_timeout=4) as hurried:
        hurried.sign_in()
        with connected(hurried, buffer=SMALL) as connection:
            connection.sendall(head_of(hurried, "GET /items/export") * EXPORTS)
            for _ in range(1200):
                if told():
                    break
                time.sleep(0.05)
            content = all_of(connection)
        assert not content.endswith(b"\r\n0\r\n\r\n")
        (line,) = told()
        assert "/items/export" in line


def test_at_the_end_nothing_is_held(server: StewardServer) -> None:
    """Who serves, and can end gracefully, holds neither a connection to its database nor a request."""
    assert httpx2.get(f"{server.url}/readyz").status_code == 200
    assert server.stop() == 0
    assert errors(server) == []
