"""The access log: a line for each request, as the server prints it."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.figures import Figures
from tests.support.http import PASSWORD, problem_of, serving
from tests.support.logged import access_line, records
from tests.support.steward_server import StewardServer

from .breaking import break_writes, mend_writes
from .raw_connections import all_of, connected, head_of, reset, up_to


@pytest.fixture(scope="module")
def logging_server(url_of_module: str) -> Iterator[StewardServer]:
    with StewardServer(url_of_module, access_log=True) as server:
        server.sign_in()
        yield server


def _id_of(answer: httpx2.Response) -> str:
    return str(answer.headers["X-Request-ID"])


def test_a_line_tells_who_asked_for_what_and_what_came_of_it(logging_server: StewardServer) -> None:
    answer = logging_server.client.post("/items", json={"name": "Box"}, headers={"X-Request-ID": "mine"})
    line = access_line(logging_server, "mine")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert line.pop("duration_ms") > 0
    assert line == {
        "level": "info",
        "logger": "steward.access",
        "event": "request",
        "request_id": "mine",
        "actor_id": 1,
        "method": "POST",
        "route": "/items",
        "status": 201,
        "end": "answered",
        "bytes": len(answer.content),
        "retries": 0,
        "unknown_outcomes": 0,
    }


@pytest.mark.parametrize(
    ("request_line", "route", "status", "code"),
    [
        ("GET /items/4711?expand=owner", "/items/{item_id}", 404, "item_not_found"),
        ("GET /users/me/", "/users/{user_id}", 200, None),
        ("HEAD /users/me", "/users/{user_id}", 200, None),
        ("POST /auth/token", "/auth/token", 415, "unsupported_media_type"),
        ("GET /problems/conflict", "/problems/{slug}", 200, None),
        ("GET /docs/assets/favicon.png", "/docs/assets/{name}", 200, None),
        ("GET /nope/4711", None, 404, "route_not_found"),
        ("PUT /nope/4711", None, 404, "route_not_found"),
    ],
)
def test_it_names_the_template_of_the_route_and_never_the_path(
    logging_server: StewardServer, request_line: str, route: str | None, status: int, code: str | None
) -> None:
    method, path = request_line.split()
    answer = logging_server.client.request(method, path)
    line = access_line(logging_server, _id_of(answer))
    assert (line["method"], line["route"], line["status"], line.get("code")) == (method, route, status, code)
    assert line["bytes"] == len(answer.content)
    assert "4711" not in str(line | {"request_id": "", "timestamp": "", "duration_ms": 0})


def test_nobody_is_named_where_nobody_is_known(logging_server: StewardServer) -> None:
    refused = httpx2.get(f"{logging_server.url}/users/me", headers={"Authorization": "Bearer rubbish"})
    assert access_line(logging_server, _id_of(refused))["actor_id"] is None


def test_a_client_who_has_left_is_told_from_one_who_was_answered(logging_server: StewardServer) -> None:
    whole = head_of(logging_server, "POST /items", "X-Request-ID: left", "Content-Type: application/json")
    with connected(logging_server) as connection:
        connection.sendall(whole.replace(b"\r\n\r\n", b'\r\nContent-Length: 40\r\n\r\n{"name":'))
        reset(connection)
    line = access_line(logging_server, "left")
    assert (line["status"], line["end"], line["level"]) == (None, "client_left", "info")


def in_progress(server: StewardServer) -> float:
    """Requests, the one that asks for it included."""
    return Figures(server.client.get("/metrics").text)("steward_http_requests_in_progress")


async def test_a_client_who_leaves_before_a_short_answer_is_seen_to_have_left(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, access_log=True) as server:
        server.sign_in()
        with sqlite3.connect(sqlite_url.partition("///")[2], isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")  # whoever writes waits
            body = b'{"name": "Box"}'
            length = f"Content-Length: {len(body)}"
            head = head_of(server, "POST /items", "X-Request-ID: left", "Content-Type: application/json", length)
            before = in_progress(server)
            with connected(server) as connection:
                connection.sendall(head + body)
                for _ in range(1200):
                    if in_progress(server) > before:
                        break
                    await asyncio.sleep(0.05)
                reset(connection)
            # Whoever is answered now came after the reset, so the server has seen that.
            for _ in range(2):
                httpx2.get(f"{server.url}/livez").raise_for_status()
            other.execute("ROLLBACK")
        other.close()
        line = access_line(server, "left")
        assert len(server.client.get("/items").json()["data"]) == 1
    assert (line["status"], line["end"]) == (201, "client_left")


async def test_what_is_not_http_has_a_line_too(logging_server: StewardServer) -> None:
    with connected(logging_server) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        answer = all_of(connection)
    request_id = re.search(rb"(?i)x-request-id: (\w+)", answer)
    assert request_id is not None
    line = access_line(logging_server, request_id[1].decode())
    assert (line["method"], line["route"], line["status"], line["code"]) == (None, None, 400, "bad_request")
    figures = Figures(logging_server.client.get("/metrics").text)
    assert figures("steward_problems_total", code="bad_request") >= 1


def test_requests_on_one_connection_have_a_line_each(logging_server: StewardServer) -> None:
    with connected(logging_server) as connection:
        for number in range(3):
            connection.sendall(head_of(logging_server, "GET /livez", f"X-Request-ID: turn-{number}"))
            up_to(connection, b'{"status":"ok"}')
    lines = [access_line(logging_server, f"turn-{number}") for number in range(3)]
    assert [line["route"] for line in lines] == ["/livez"] * 3


async def test_transactions_that_were_begun_again_are_counted(postgres_url: str) -> None:
    with StewardServer(postgres_url, access_log=True) as server:
        server.sign_in()
        await break_writes(postgres_url, "40001")
        answer = server.client.post("/items", json={"name": "Box"})
        await mend_writes(postgres_url)
        line = access_line(server, _id_of(answer))
    assert problem_of(answer) == (409, "conflict")
    assert line["retries"] >= 1
    assert line["code"] == "conflict"


async def test_a_bug_is_an_error_and_a_database_that_fails_a_warning(postgres_url: str) -> None:
    """So that with the level `warning` only what is the server's own fault has a line."""
    with StewardServer(postgres_url, access_log=True, log_level="warning") as server:
        server.sign_in()
        levels = []
        for state in ("P0001", "57P03"):
            await break_writes(postgres_url, state)
            answer = await asyncio.to_thread(server.client.post, "/items", json={"name": "Box"})
            await mend_writes(postgres_url)
            levels.append(access_line(server, _id_of(answer))["level"])
        assert levels == ["error", "warning"]
        lines = [each for each in records(server) if each["logger"] == "steward.access"]
    assert [line["status"] for line in lines] == [500, 503]


def test_it_can_be_switched_off(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, access_log=False) as server:
        assert server.client.get("/livez").status_code == 200
        assert server.client.get("/nope").status_code == 404
    assert server.errors == []


def test_people_can_read_it(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, access_log=True, log_format="console") as server:
        server.client.get("/nope", headers={"X-Request-ID": "mine"})
    (line,) = server.errors
    for told in ("info", "request", "mine", "GET", "404", "route_not_found"):
        assert told in line


async def test_two_applications_in_one_process_have_a_line_each(
    sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with serving(sqlite_url) as one, serving(sqlite_url, access_log=False) as other:
        ada = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
        capfd.readouterr()
        assert (await one.client.post("/users", json=ada)).status_code == 201
        assert (await other.client.post("/users", json=ada)).status_code == 409
    assert capfd.readouterr().err.count('"steward.access"') == 1
