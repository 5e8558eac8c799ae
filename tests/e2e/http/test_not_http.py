"""Bytes that are not HTTP never reach an application, and still get an answer that says what is wrong."""

import asyncio
import json

import pytest
from steward.entrypoints.http.problem_types import PROBLEM_TYPES

from tests.support.steward_server import StewardServer


@pytest.mark.parametrize(
    "sent",
    [
        b"this is not HTTP\r\n\r\n",
        b"GET /caf\xc3\xa9\x00 HTTP/1.1\r\nHost: steward.test\r\n\r\n",
        b"POST /items HTTP/1.1\r\nHost: steward.test\r\nContent-Length: many\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_answered_with_a_problem(sqlite_server: StewardServer, sent: bytes) -> None:
    host, port = sqlite_server.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()

    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    problem = json.loads(body)
    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(body))
    assert headers["x-request-id"] == problem["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert problem["code"] == "bad_request"
    assert problem["type"] == PROBLEM_TYPES["bad_request"].uri
