"""What ties a request, its answer and its log lines together, and what none of them may show."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message
from steward.domain.actors import Actor
from steward.entrypoints.http.requests.authentication import get_actor
from steward.entrypoints.request_id import current_request_id

from tests.support.http import Api, problem_of, serving

PASSWORD = "Geheim-4711-hunter2"


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{current_request_id() or '-'} {self.format(record)}")


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Every line that is logged, by whomever, at whatever level."""
    root = logging.getLogger()
    handler, level = Lines(), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("given", ["abc-1", "0" * 128, "a.b_c:d/e+f=g@h"])
async def test_the_id_that_a_client_gives_comes_back(edge: Api, given: str) -> None:
    for method, path in (("GET", "/livez"), ("GET", "/nope"), ("PUT", "/users"), ("HEAD", "/users/4711")):
        answer = await edge.client.request(method, path, headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [[], [""], ["a b"], ["ä"], ["0" * 129], ["a", "b"], ['a"b'], ["a\tb"], ["a;b"]])
async def test_without_a_sane_one_each_request_gets_an_id_of_its_own(edge: Api, given: list[str]) -> None:
    headers = [(b"X-Request-ID", each.encode("latin-1")) for each in given]
    answers = [await edge.client.get("/livez", headers=headers) for _ in range(2)]
    ids = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(ids) == 2
    assert not ids & set(given)


async def test_problems_of_every_kind_carry_the_id(edge: Api) -> None:
    too_large = {"content": b" " * 100_001, "headers": {"Content-Type": "application/json", "X-Request-ID": "mine"}}
    for method, path, status, arguments in (
        ("GET", "/nope", 404, {"headers": {"X-Request-ID": "mine"}}),
        ("PUT", "/users", 405, {"headers": {"X-Request-ID": "mine"}}),
        ("POST", "/items", 413, too_large),
        ("GET", "/users/0", 422, {"headers": {"X-Request-ID": "mine"}}),
    ):
        answer = await edge.client.request(method, path, **arguments)
        assert (answer.status_code, answer.json()["request_id"]) == (status, "mine")
        assert answer.headers["X-Request-ID"] == "mine"


async def test_every_log_line_of_a_request_carries_its_id(logged: list[str]) -> None:
    async with serving("sqlite+aiosqlite:///:memory:", database_echo=True) as api:
        logged.clear()
        await api.client.get("/users", headers={"X-Request-ID": "first"})
        first = [line for line in logged if "sqlalchemy" in line]
        logged.clear()
        await api.client.get("/users", headers={"X-Request-ID": "second"})
        second = [line for line in logged if "sqlalchemy" in line]
    assert first
    assert all(line.startswith("first ") for line in first)
    assert second
    assert all(line.startswith("second ") for line in second)


async def test_what_runs_on_after_a_request_is_not_of_it_any_more(logged: list[str]) -> None:
    """A connection of the pool lives on in the context of the request that made it."""
    ran = asyncio.Event()

    def later() -> None:
        logging.getLogger("somebody.else").warning("later")
        ran.set()

    async def made_a_connection() -> Actor:
        logging.getLogger("somebody.else").warning("meanwhile")
        asyncio.get_running_loop().call_later(0.5, later)
        return Actor.system()

    async with serving("sqlite+aiosqlite:///:memory:") as api:
        api.app.dependency_overrides[get_actor] = made_a_connection
        await api.client.get("/users/1", headers={"X-Request-ID": "first"})
        await ran.wait()
    assert [line.split()[0] for line in logged if "somebody.else" in line] == ["first", "-"]


async def test_a_bug_is_answered_without_a_word_about_it_and_logged_with_all_of_them(logged: list[str]) -> None:
    async with serving("sqlite+aiosqlite:///:memory:", with_bugs=True) as api:

        async def broken() -> None:
            raise RuntimeError("the reason that only we may read")

        api.app.dependency_overrides[get_actor] = broken
        await api.client.get("/users/%0Aforged")
        answer = await api.client.get("/users/7", headers={"X-Request-ID": "mine"})
    assert problem_of(answer) == (500, "internal_error")
    assert "reason" not in answer.text
    (line,) = [line for line in logged if "GET /users/7 failed" in line]
    assert line.startswith("mine steward.http ERROR ")
    assert "RuntimeError: the reason that only we may read" in line
    assert not any(line.startswith("forged") for each in logged for line in each.splitlines())


async def test_a_password_is_in_no_answer_and_in_no_log_line(edge: Api, logged: list[str]) -> None:
    good = {"username": "secretive", "email": "secretive@example.org", "password": PASSWORD}
    bodies: list[dict[str, Any]] = [
        good,
        good,
        {**good, "password": PASSWORD * 20},
        {**good, "password": [PASSWORD]},
        {**good, "password": {"is": PASSWORD}},
        {**good, "password": PASSWORD + "\0"},
        {**good, "passwort": PASSWORD},
        {**good, "username": 1, "email": "nonsense"},
    ]
    answers = [await edge.client.post("/users", json=body) for body in bodies]
    raw = f'{{"password":"{PASSWORD}" "username":"x"}}'
    for content in (raw, f"\ufeff{raw}", f'{{"password":"{PASSWORD}","password":"{PASSWORD}"}}'):
        headers = {"Content-Type": "application/json"}
        answers.append(await edge.client.post("/users", content=content, headers=headers))
    assert [answer.status_code for answer in answers] == [201, 409] + [422] * 6 + [400] * 3
    assert not any(PASSWORD in answer.text for answer in answers)
    assert not any(PASSWORD in line for line in logged)


@pytest.mark.parametrize("sent", [0, 10])
async def test_a_client_who_leaves_in_the_middle_of_its_body_is_no_error(
    edge: Api, logged: list[str], sent: int
) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b'{"owner_id":'[:sent], "more_body": True}]
    answered: list[Message] = []

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/items",
        "raw_path": b"/items",
        "query_string": b"",
        "headers": [
            (b"authorization", edge.client.headers["Authorization"].encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"40"),
        ],
    }
    await edge.app(scope, receive, send)
    assert answered == []
    assert any("the client left" in line for line in logged)
    assert not any(" ERROR " in line or " WARNING " in line for line in logged)
