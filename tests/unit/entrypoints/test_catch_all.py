"""An error that nothing else has answered gets an answer."""

import logging
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from steward.entrypoints.http.middleware.catch_all import CatchAll


class Wrong(Exception):
    pass


def raising(error: Exception, *, after: list[Message] | None = None) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in after or ():
            await send(message)
        raise error

    return app


async def ask(app: ASGIApp, sent: list[Any] | None = None) -> list[Any]:
    """The status and the body of each answer that was begun; also added to `sent`."""
    sent = [] if sent is None else sent

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message["status"] if message["type"] == "http.response.start" else message["body"])

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    await CatchAll(app)(scope, receive, send)
    return sent


async def test_an_error_that_no_handler_has_answered_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    error = RuntimeError("a bug")
    status, body = await ask(raising(error))
    assert status == 500
    assert b"internal_error" in body
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "GET /x failed")
    assert record.exc_info is not None
    assert record.exc_info[1] is error


@pytest.mark.parametrize("error", [Wrong(), RuntimeError("a bug")])
async def test_an_answer_that_has_begun_is_broken_off_and_not_followed_by_another(error: Exception) -> None:
    begun: list[Message] = [{"type": "http.response.start", "status": 200, "headers": []}]
    sent: list[Any] = []
    with pytest.raises(type(error)):
        await ask(raising(error, after=begun), sent)
    assert sent == [200]


async def test_who_has_left_is_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    assert await ask(raising(ClientDisconnect())) == []
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_a_client_that_leaves_while_its_answer_is_sent_is_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        raise ConnectionResetError

    begun: list[Message] = [{"type": "http.response.start", "status": 200, "headers": []}]
    with caplog.at_level(logging.DEBUG):
        await CatchAll(raising(Wrong(), after=begun))({"type": "http", "method": "GET"}, receive, send)
    assert [record.levelno for record in caplog.records if record.name.startswith("steward")] == [logging.DEBUG]
