"""Attacks that have worked once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send
from steward.config import load_settings
from steward.domain.users import Role
from steward.entrypoints.server.protocol import ProblemProtocol
from steward.entrypoints.server.server import ServerConfig
from steward.testing import FastHasher
from uvicorn.server import ServerState

from tests.support.http import Api, faults_of, problem_of, serving

from .signing_in import LIMITED, WRONG, given_account, hashing_with, oauth_error_of, sign_in

AT_ONCE = 256 * 1024  # bytes that an event loop reads from a socket at once


@pytest_asyncio.fixture(scope="module")
async def api(url_of_module: str) -> AsyncIterator[Api]:
    async with serving(url_of_module, rate_limits=True) as api:
        with hashing_with(api, FastHasher()):
            yield api


@pytest.mark.parametrize(
    "first", ["\N{FULLWIDTH LATIN SMALL LETTER B}{}@example.org", "b{}\N{FULLWIDTH COMMERCIAL AT}example.org"]
)
async def test_other_spellings_do_not_tell_whether_an_e_mail_address_has_an_account(api: Api, first: str) -> None:
    there, nowhere = f"ob{ord(first[0])}", f"ix{ord(first[0])}"
    await given_account(api, f"b{there}")
    answers = []
    for rest in (there, nowhere):
        for _ in range(10):  # the quota of one account from one address
            assert oauth_error_of(await sign_in(api.anonymous, first.format(rest), "wrong password")) == WRONG
        assert oauth_error_of(await sign_in(api.anonymous, first.format(rest), "wrong password")) == LIMITED
        answers.append(oauth_error_of(await sign_in(api.anonymous, f"b{rest}@example.org", "wrong password")))
    assert answers == [WRONG, WRONG]


async def test_whoever_holds_a_body_back_has_the_rights_of_when_it_came(api: Api) -> None:
    bob, carl = await given_account(api, "bobby", role=Role.ADMIN), await given_account(api, "carly")
    headers = await api.bearer(bob.id)

    async def held_back() -> AsyncIterator[bytes]:
        yield b'{"role":'
        # In a task of its own: here, where the first request is being read, the two would share their context.
        deactivated = asyncio.create_task(api.client.patch(f"/users/{bob.id}", json={"is_active": False}))
        assert (await deactivated).status_code == 200
        yield b' "admin"}'

    answer = await api.anonymous.patch(
        f"/users/{carl.id}", content=held_back(), headers={**headers, "Content-Type": "application/json"}
    )
    assert problem_of(answer) == (401, "token_revoked")
    assert (await api.client.get(f"/users/{carl.id}")).json()["role"] == "member"


async def test_more_parameters_than_any_operation_knows_are_not_taken_apart(api: Api) -> None:
    answer = await api.anonymous.get("/livez?" + "a&" * 1000)
    assert faults_of(answer) == [("", "too_many_parameters")]


async def test_a_form_is_no_longer_than_it_need_be(api: Api) -> None:
    form = {"grant_type": "password", "username": "a" * 70_000, "password": "b"}
    assert problem_of(await api.anonymous.post("/auth/token", data=form)) == (413, "body_too_large")


async def test_requests_wait_in_the_network_until_those_before_them_have_been_answered() -> None:
    """In memory they are many times larger, and a client who reads no answers could send them without end."""
    connections: set[ProblemProtocol] = set()
    async with listening(connections) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = b"GET / HTTP/1.1\r\nHost: steward.test\r\nX-Filling: " + b"x" * 1000 + b"\r\n\r\n"
        writer.write(request * 5_000)
        waiting = 0
        for _ in range(1_000):
            await reader.readuntil(b"\r\n\r\nok")
            waiting = max(waiting, *(len(connection.pipeline) for connection in connections))
        assert 0 < waiting <= AT_ONCE // len(request) + 1
        writer.transport.abort()


class UnloggedConfig(ServerConfig):
    """The tests' process keeps its own logging."""

    def configure_logging(self) -> None:
        pass


@asynccontextmanager
async def listening(connections: set[ProblemProtocol]) -> AsyncIterator[int]:
    """The port at which every request is answered with `ok`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config, state = UnloggedConfig(app, load_settings()), ServerState()
    config.load()

    def connect() -> ProblemProtocol:
        connections.add(protocol := ProblemProtocol(config, state, {}))
        return protocol

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    while state.connections:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.01)
