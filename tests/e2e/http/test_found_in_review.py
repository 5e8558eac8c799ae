"""What a stranger's review found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import uvicorn
from starlette.types import Receive, Scope, Send
from steward.entrypoints.http.protocol import ProblemProtocol
from steward.testing import FastHasher
from uvicorn.server import ServerState

from tests.support.http import Api, serving

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


@asynccontextmanager
async def listening(connections: set[ProblemProtocol]) -> AsyncIterator[int]:
    """The port at which every request is answered with `ok`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config, state = uvicorn.Config(app, lifespan="off", ws="none", log_config=None), ServerState()
    config.load()

    def connect() -> ProblemProtocol:
        connections.add(protocol := ProblemProtocol(config, state, {}))
        return protocol

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
