"""The two drivers of a conversation: what goes wrong reaches it, and a task that is cancelled takes the tokens of no
other with it."""

import asyncio

import httpx2
import pytest
from steward.client import AsyncClient, Client, OutcomeUnknown, Retries

from tests.support.conversation import item_answer, problem, tokens


class Server:
    """Of one item. The first tokens have expired at once, and a refresh waits for `may_answer`; a refresh token that
    comes twice ends the session."""

    def __init__(self) -> None:
        self.generation = 1
        self.asked_to_refresh = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/auth/token":
            signed = request.headers.get("Authorization") == f"Bearer access-{self.generation}"
            return item_answer() if signed else problem(401, "token_revoked")
        if b"grant_type=password" in request.content:
            return tokens(1, expires_in=0)
        if f"refresh-{self.generation}".encode() not in request.content:
            self.generation = -1
            return problem(400, "invalid_credentials")
        self.generation += 1
        self.asked_to_refresh.set()
        await self.may_answer.wait()
        return tokens(self.generation)


@pytest.fixture
def server() -> Server:
    return Server()


async def signed_in(server: Server) -> AsyncClient:
    client = AsyncClient("http://steward.test", transport=httpx2.MockTransport(server.answer))
    return await client.sign_in("ada", "correct horse")


async def test_a_caller_who_is_cancelled_while_the_tokens_are_renewed_loses_them_for_nobody(server: Server) -> None:
    async with await signed_in(server) as client:
        caller = asyncio.create_task(client.items.get(7))
        await server.asked_to_refresh.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        server.may_answer.set()
        assert (await client.items.get(7)).id == 7
        assert server.generation == 2


async def test_tasks_that_find_the_tokens_expired_renew_them_once(server: Server) -> None:
    async with await signed_in(server) as client:
        callers = [asyncio.create_task(client.items.get(7)) for _ in range(10)]
        await server.asked_to_refresh.wait()
        server.may_answer.set()
        assert [item.id for item in await asyncio.gather(*callers)] == [7] * 10
        assert server.generation == 2


async def test_closing_waits_for_a_renewal_that_nobody_waits_for_any_more(server: Server) -> None:
    client = await signed_in(server)
    caller = asyncio.create_task(client.items.get(7))
    await server.asked_to_refresh.wait()
    caller.cancel()
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    server.may_answer.set()
    await closing


class Fading:
    """The answer to the first change gets lost, then the token expires, and no other can be had."""

    def __init__(self) -> None:
        self.changes = 0

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if b"grant_type=password" in request.content:
            return tokens(1)
        if request.url.path == "/auth/token":
            raise httpx2.ConnectError("refused")
        self.changes += 1
        if self.changes == 1:
            raise httpx2.ReadError("connection reset")
        return problem(401, "token_expired")


QUICK = Retries(attempts=2, first_pause=0.0)


def test_threads_are_told_that_a_change_may_have_been_made_before_the_tokens_failed() -> None:
    transport = httpx2.MockTransport(Fading().answer)
    with Client("http://steward.test", transport=transport, retries=QUICK) as client:
        client.sign_in("ada", "correct horse")
        with pytest.raises(OutcomeUnknown):
            client.items.create(name="Box")


async def test_tasks_are_told_that_a_change_may_have_been_made_before_the_tokens_failed() -> None:
    transport = httpx2.MockTransport(Fading().answer)
    async with AsyncClient("http://steward.test", transport=transport, retries=QUICK) as client:
        await client.sign_in("ada", "correct horse")
        with pytest.raises(OutcomeUnknown):
            await client.items.create(name="Box")
