"""What is seen of a request, however it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from steward.domain.actors import Actor
from steward.domain.users import Role, UserId
from steward.entrypoints.http.middleware.observed import End, Exchange, Observed, Observers, observed
from steward.entrypoints.http.problems.problem_responses import problem_response
from steward.entrypoints.http.request_context import RequestContext, context_of, put_context
from steward.service_layer.tally import current_tally, tallied

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


class Seen(list[Exchange]):
    def saw(self, exchange: Exchange) -> None:
        self.append(exchange)


async def _call(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    with tallied():
        await app(scope, receive, send)


class Connection:
    """As of a server."""

    def __init__(self, *, has_left: bool = False) -> None:
        self._has_left = has_left

    def break_off(self) -> None: ...

    def has_left(self) -> bool:
        return self._has_left

    def body_has_come(self) -> bool:
        return True


async def _ask(app: ASGIApp, context: RequestContext | None = None) -> Exchange:
    """One request to `app`, from a client who sends nothing and has left afterwards. What was seen of it."""
    seen, observers = Seen(), Observers()
    observers.add(seen)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        await asyncio.sleep(0)

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    put_context(scope, context or RequestContext())
    asking = asyncio.create_task(_call(Observed(app, observers), scope, receive, send))
    await asyncio.wait([asking])
    if not asking.cancelled() and asking.exception() is not None:
        assert isinstance(asking.exception(), (RuntimeError, ClientDisconnect))
    assert observers.in_progress == 0
    (exchange,) = seen
    return exchange


async def test_an_answer_is_seen_with_its_status_its_size_and_its_time() -> None:
    exchange = await _ask(Response(b"12345", 201))
    assert (exchange.status, exchange.size, exchange.end) == (201, 5, End.ANSWERED)
    assert (exchange.route, exchange.code, exchange.actor_id) == (None, None, None)
    assert exchange.seconds > 0


async def test_of_head_no_body_is_sent() -> None:
    exchange = await _ask(Response(b"12345"), RequestContext(wants_head_alone=True))
    assert (exchange.method, exchange.size) == ("HEAD", 0)


async def test_a_problem_is_seen_by_its_code() -> None:
    exchange = await _ask(problem_response({"path": "/"}, "conflict", 'of "code":"forbidden"'))
    assert (exchange.status, exchange.code) == (409, "conflict")


async def test_who_asked_is_seen() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context_of(scope).actor = Actor(UserId(7), Role.MEMBER)
        await Response()(scope, receive, send)

    assert (await _ask(app)).actor_id == 7


async def test_what_happened_on_the_way_is_counted() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tally = current_tally()
        assert tally is not None
        tally.retries += 3
        await Response()(scope, receive, send)

    assert (await _ask(app)).tally.retries == 3
    assert current_tally() is None


async def _fails_midway(_: Scope, __: Receive, send: Send) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"12", "more_body": True})
    raise RuntimeError


async def _breaks_off(scope: Scope, _: Receive, send: Send) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"12", "more_body": True})
    context_of(scope).break_off()


async def _notices_that_the_client_has_left(_: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"12", "more_body": True})
    await receive()


async def _gets_no_body(scope: Scope, receive: Receive, _: Send) -> None:
    await Request(scope, receive).body()


ENDS: list[tuple[Callable[[Scope, Receive, Send], Awaitable[None]], End, int | None]] = [
    (_fails_midway, End.BROKEN_OFF, 200),
    (_breaks_off, End.BROKEN_OFF, 200),
    (_notices_that_the_client_has_left, End.CLIENT_LEFT, 200),
    (_gets_no_body, End.CLIENT_LEFT, None),
]


@pytest.mark.parametrize(("app", "end", "status"), ENDS)
async def test_it_says_why_there_was_no_whole_answer(app: ASGIApp, end: End, status: int | None) -> None:
    exchange = await _ask(app, RequestContext(Connection()))
    assert (exchange.end, exchange.status) == (end, status)


async def test_a_client_who_leaves_before_a_short_answer_is_known_to_the_server_alone() -> None:
    exchange = await _ask(Response(b"12345"), RequestContext(Connection(has_left=True)))
    assert exchange.end is End.CLIENT_LEFT


async def test_a_request_that_is_cancelled_was_cut_off() -> None:
    async def app(*_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    assert (await _ask(app)).end is End.CUT_OFF


async def test_who_has_asked_to_read_a_whole_answer_and_then_leaves_was_answered() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(b"12345")(scope, receive, send)
        await receive()

    assert (await _ask(app)).end is End.ANSWERED


async def test_where_nobody_looks_on_nothing_is_done() -> None:
    app = Response()
    assert observed(app, Observers()) is app
