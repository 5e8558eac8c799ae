"""Bytes that are not HTTP never reach an application, and still get an answer that says what is wrong."""

import asyncio
import json

import pytest
from steward.entrypoints.http.problems.problem_types import PROBLEM_TYPES

from tests.support.steward_server import StewardServer


async def send(server: StewardServer, sent: bytes) -> tuple[str, dict[str, str], bytes]:
    """The status line, the headers, and the body of what comes back."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


@pytest.mark.parametrize(
    "sent",
    [
        b"this is not HTTP\r\n\r\n",
        b"GET /caf\xc3\xa9\x00 HTTP/1.1\r\nHost: steward.test\r\n\r\n",
        b"POST /items HTTP/1.1\r\nHost: steward.test\r\nContent-Length: many\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_answered_with_a_problem(sqlite_server: StewardServer, sent: bytes) -> None:
    status, headers, body = await send(sqlite_server, sent)
    problem = json.loads(body)
    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(body))
    assert headers["x-request-id"] == problem["request_id"]
    assert problem["code"] == "bad_request"
    assert problem["type"] == PROBLEM_TYPES["bad_request"].uri


async def test_it_has_the_headers_of_every_other_problem(sqlite_server: StewardServer) -> None:
    other = sqlite_server.client.get("/nope").headers
    _, headers, _ = await send(sqlite_server, b"this is not HTTP\r\n\r\n")
    assert headers.keys() == {*other.keys(), "connection"}
    for name in other.keys() - {"date", "content-length", "x-request-id"}:
        assert headers[name] == other[name]


async def test_its_request_id_stands_in_its_own_log_line_alone(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, access_log=True) as server:
        ids = [(await send(server, b"this is not HTTP\r\n\r\n"))[1]["x-request-id"] for _ in range(3)]
        ids += [server.client.get("/livez").headers["x-request-id"] for _ in range(3)]
    logged = [json.loads(line).get("request_id") for line in server.errors]
    assert [each for each in logged if each in ids] == ids


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
async def test_a_request_says_once_where_it_goes(sqlite_server: StewardServer, hosts: bytes) -> None:
    status, _, body = await send(sqlite_server, b"GET /livez HTTP/1.1\r\n" + hosts + b"\r\n")
    assert status == "HTTP/1.1 400 Bad Request"
    assert "Host" in json.loads(body)["detail"]


async def test_of_an_old_version_it_need_not(sqlite_server: StewardServer) -> None:
    status, _, _ = await send(sqlite_server, b"GET /livez HTTP/1.0\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X: aaaaaaaaaa\r\n" * 10_000 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000,
    ],
    ids=["path", "header", "headers", "without an end"],
)
async def test_a_head_has_a_limit(sqlite_server: StewardServer, head: bytes) -> None:
    status, headers, body = await send(sqlite_server, head)
    assert status == "HTTP/1.1 431 Request Header Fields Too Large"
    assert headers["connection"] == "close"
    assert json.loads(body)["code"] == "head_too_large"


async def test_a_large_body_does_not_count_as_a_head(sqlite_server: StewardServer) -> None:
    first = b"POST /auth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b" " * 300_000
    status, _, rest = await send(sqlite_server, first + b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status == "HTTP/1.1 415 Unsupported Media Type"
    assert b"HTTP/1.1 200 OK" in rest


FORM = b"grant_type=password&username=bob&password=xxxx"
CHUNKED_FORM = (
    b"POST /auth/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n"
    + FORM
    + b"\r\n0\r\n"
)


async def test_what_stands_in_a_trailer_is_no_header(sqlite_server: StewardServer) -> None:
    trailer = b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    status, _, _ = await send(sqlite_server, CHUNKED_FORM + trailer)
    assert status == "HTTP/1.1 415 Unsupported Media Type"


async def test_a_trailer_has_a_limit(sqlite_server: StewardServer) -> None:
    host, port = sqlite_server.url.removeprefix("http://").rsplit(":", 1)
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(CHUNKED_FORM.replace(b"Connection: close\r\n", b"") + b"X: ")
    with pytest.raises(ConnectionError):
        while True:
            writer.write(b"a" * 65_536)
            await writer.drain()
            await asyncio.sleep(0.01)
    writer.transport.abort()


async def test_a_refusal_waits_for_the_answers_before_it(sqlite_server: StewardServer) -> None:
    status, _, rest = await send(sqlite_server, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n\x00garbage\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert b"HTTP/1.1 400 Bad Request" in rest
    assert not [line for line in sqlite_server.errors if "RuntimeError" in line]


async def test_a_request_that_offers_an_upgrade_is_answered_or_refused_with_its_body(
    sqlite_server: StewardServer,
) -> None:
    upgrade = b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    status, _, _ = await send(sqlite_server, b"GET /livez HTTP/1.1\r\n" + upgrade + b"\r\n")
    assert status == "HTTP/1.1 200 OK"
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 46\r\n\r\n" + FORM
    status, _, body = await send(sqlite_server, b"POST /auth/token HTTP/1.1\r\n" + upgrade + form)
    assert status == "HTTP/1.1 400 Bad Request"
    assert "Upgrade" in json.loads(body)["detail"]
