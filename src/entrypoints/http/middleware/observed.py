"""What is seen of each request: one measurement, for the access log and for the metrics."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ....service_layer.tally import Tally, current_tally
from ...request_id import begin_request, current_request_id
from ..problems.problem_responses import MEDIA_TYPE
from ..request_context import context_of

_IS_PROBLEM = (b"content-type", MEDIA_TYPE.encode())


class End(StrEnum):
    ANSWERED = "answered"  # to the last byte, handed to the connection
    CLIENT_LEFT = "client_left"  # before that
    BROKEN_OFF = "broken_off"  # in the middle of the answer, by us
    CUT_OFF = "cut_off"  # by the end of the server


@dataclass(slots=True)
class Exchange:
    """A request and what came of it.

    `method` is None where none could be read, `route`, the template of the path, where no route has matched, and
    `status` where no answer was begun. `code` is that of a problem; `seconds` are those until the last byte or the end.
    """

    request_id: str
    method: str | None
    route: str | None = None
    status: int | None = None
    end: End = End.ANSWERED
    code: str | None = None
    actor_id: int | None = None
    seconds: float = 0.0
    size: int = 0  # bytes of the body that was sent
    tally: Tally = field(default_factory=Tally)


class Observer(Protocol):
    def saw(self, exchange: Exchange) -> None: ...


class Observers:
    """All that look on, and how many requests there are to see right now."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self.in_progress = 0

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, observer: Observer) -> None:
        self._observers.append(observer)

    def saw(self, exchange: Exchange) -> None:
        for observer in self._observers:
            observer.saw(exchange)

    def saw_refused(self, status: int, code: str, size: int) -> None:
        """What the protocol has answered by itself, because it was not HTTP as it should be."""
        if self._observers:
            request_id = current_request_id() or begin_request(None)
            self.saw(Exchange(request_id, None, None, status, code=code, size=size))


def observed(app: ASGIApp, observers: Observers) -> ASGIApp:
    """`app` itself where nobody looks on."""
    return Observed(app, observers) if observers else app


class Observed:
    """Stands right inside what gives a request its id and its path as the routes know it."""

    def __init__(self, app: ASGIApp, observers: Observers) -> None:
        self._app = app
        self._observers = observers
        self._templates: dict[int, str | None] = {}  # by the identity of a route or endpoint: routes have no hash

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watch = _Watch(scope, receive, send)
        self._observers.in_progress += 1
        try:
            await self._app(scope, watch.receive, watch.send)
        except asyncio.CancelledError:
            watch.was_cancelled = True
            raise
        finally:
            self._observers.in_progress -= 1
            watch.exchange.route = self._template_of(scope)
            self._observers.saw(watch.finished())

    def _template_of(self, scope: Scope) -> str | None:
        """The whole one: a route of an included router knows no more than its own part. Starlette's own routes, which
        are those of the documentation, do not name themselves, but their endpoint."""
        matched = scope.get("route", scope.get("endpoint"))
        if matched is None:
            return None
        if id(matched) not in self._templates:
            for context in iter_route_contexts(scope["app"].routes):
                for known in (context.original_route, getattr(context.original_route, "endpoint", None)):
                    self._templates[id(known)] = context.path or ""
        return self._templates.setdefault(id(matched), None)


class _Watch:
    """Of one request: passes the messages on, and looks at them."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._began = time.perf_counter()
        self._receive: Callable[[], Awaitable[Message]] = receive
        self._send = send
        self._context = context_of(scope)
        self._is_problem = self._is_whole = self._has_left = self.was_cancelled = False
        method: str = "HEAD" if self._context.wants_head_alone else scope["method"]
        self.exchange = Exchange(current_request_id(), method, tally=current_tally() or Tally())

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_whole:
            self._has_left = True
        return message

    async def send(self, message: Message) -> None:
        exchange = self.exchange
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            self._is_problem = message["status"] >= 400 and _IS_PROBLEM in message["headers"]
            await self._send(message)
            return
        body = message.get("body", b"")
        if self._is_problem:
            exchange.code = _code_of(body)
        await self._send(message)
        exchange.size += 0 if self._context.wants_head_alone else len(body)
        self._is_whole = not message.get("more_body", False)

    def finished(self) -> Exchange:
        exchange = self.exchange
        exchange.seconds = time.perf_counter() - self._began
        actor = self._context.actor
        exchange.actor_id = None if actor is None else actor.user_id
        exchange.end = self._end()
        return exchange

    def _end(self) -> End:
        if self._context.was_broken_off:
            return End.BROKEN_OFF
        # The server tells an application that asks for more of the request; others have to look.
        connection = self._context.connection
        if self._has_left or (connection is not None and connection.has_left()):
            return End.CLIENT_LEFT
        if self._is_whole:
            return End.ANSWERED
        return End.CUT_OFF if self.was_cancelled else End.BROKEN_OFF


def _code_of(problem: Any) -> str | None:
    """Read off the answer, whoever has made it; problems come in one piece."""
    try:
        code = json.loads(bytes(problem))["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) else None
