"""Where a request ends: what two servers could answer differently is refused, and what is cut off is not stored."""

import asyncio
import json

import pytest

from tests.support.steward_server import StewardServer

HEAD = b"POST /users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NEXT = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


async def send(server: StewardServer, request: bytes, *, cut: bool = False) -> bytes:
    """All that comes back until the server closes; `cut` says that no more will come."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    if cut:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def user(name: str) -> bytes:
    return json.dumps({"username": name, "email": f"{name}@example.org", "password": "swordfish 8"}).encode()


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 2, 2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
        b"Content-Length: 2\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ],
    ids=lambda framing: framing[:60],
)
async def test_a_body_without_one_clear_end_is_refused_and_nothing_behind_it_is_read(
    sqlite_server: StewardServer, framing: bytes
) -> None:
    answer = await send(sqlite_server, HEAD + framing + NEXT)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'"code":"bad_request"' in answer


@pytest.mark.parametrize(
    ("name", "framing"),
    [("cut-short", b"Content-Length: 1000\r\n\r\n%b"), ("cut-chunks", CHUNKED + b"\r\n%x\r\n%b\r\n")],
)
async def test_a_body_that_is_cut_off_stores_nothing(sqlite_server: StewardServer, name: str, framing: bytes) -> None:
    body = user(name)
    values = (len(body), body) if b"%x" in framing else (body,)
    await send(sqlite_server, HEAD + framing % values, cut=True)
    again = sqlite_server.client.post("/users", content=body, headers={"Content-Type": "application/json"})
    assert again.status_code == 201


@pytest.mark.parametrize("body", [b"{bad}", b"x" * 2_000_000], ids=["short", "beyond the limit"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_where_none_is_expected_is_passed_over(
    sqlite_server: StewardServer, body: bytes, chunked: bool
) -> None:
    framed = CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    if not chunked:
        framed = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    answer = await send(sqlite_server, b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n" + framed + NEXT)
    assert answer.count(b"HTTP/1.1 200 ") == 2
