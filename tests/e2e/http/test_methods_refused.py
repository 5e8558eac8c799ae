"""What no path takes, and what no path answers: TRACE, CONNECT, and redirects."""

import asyncio
import re

import pytest
from fastapi.routing import iter_route_contexts

from tests.support.http import Api, serving
from tests.support.steward_server import StewardServer
from tests.support.unchecked import is_problem, unchecked

SECRET = "Bearer 4711-not-to-be-echoed"


@pytest.mark.parametrize("path", ["/livez", "/items", "/items/1/", "/docs", "/openapi.json", "/problems/conflict"])
@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
async def test_trace_and_connect_are_refused_and_echo_nothing(edge: Api, method: str, path: str) -> None:
    answer = await edge.client.request(method, path, headers={"Authorization": SECRET, "Max-Forwards": "0"})
    assert is_problem(answer, 405, "method_not_allowed")
    assert not {"TRACE", "CONNECT"} & set(answer.headers["Allow"].split(", "))
    assert SECRET not in answer.text + str(answer.headers)


async def test_on_a_path_that_is_not_there_they_are_not_found(edge: Api) -> None:
    for method in ("TRACE", "CONNECT"):
        answer = await edge.client.request(method, "/nope", headers={"Authorization": SECRET})
        assert is_problem(answer, 404, "route_not_found")
        assert SECRET not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("TRACE /livez", 405),
        ("TRACE *", 404),
        ("TRACE http://steward.test/livez", 405),
        ("trace /livez", 400),
        ("CONNECT example.org:443", 400),
        ("CONNECT /livez", 405),
    ],
)
async def test_a_server_process_does_not_echo_either(sqlite_server: StewardServer, line: str, status: int) -> None:
    host, port = sqlite_server.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"{line} HTTP/1.1\r\nHost: steward.test\r\nAuthorization: {SECRET}\r\nConnection: close\r\n\r\n".encode()
    )
    answered = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert int(answered.split()[1]) == status
    assert "content-type: application/problem+json" in answered
    assert SECRET not in answered


async def test_no_path_redirects_with_or_without_a_slash_at_its_end() -> None:
    async with serving("sqlite+aiosqlite:///:memory:") as api, unchecked(api.app) as client:
        paths = {context.path for context in iter_route_contexts(api.app.routes) if context.path}
        assert len(paths) >= 10
        for template in sorted(paths):
            path = re.sub(r"\{[^}]+\}", "1", template).removesuffix("/")
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                plain, slashed = [await client.request(method, each) for each in (path, f"{path}/")]
                assert not 300 <= plain.status_code < 400, (method, path)
                assert plain.status_code == slashed.status_code, (method, path)
                assert "Refresh" not in plain.headers
