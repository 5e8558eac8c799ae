"""What uvicorn's protocol does otherwise than we need it."""

import asyncio
import weakref
from collections.abc import Sized
from contextvars import copy_context
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ..http.middleware.answer_headers import complete_headers
from ..http.problems.problem_responses import problem_response
from ..http.request_context import RequestContext, put_context
from ..http.server_state import server_state_in
from ..request_id import begin_request
from .timed_protocol import RequestPart, TimedProtocol

LINGER = 1.0  # seconds
LONGEST_HEAD = 64 * 1024  # bytes of a request line and its headers; httptools knows no limit


class ProblemProtocol(TimedProtocol):
    """Bytes that its parser refuses never reach an application: uvicorn answers them by itself, as plain text. Here
    they get a problem, too. So do a head that never ends, or takes too long, and a request that does not say once to
    which host it goes. And a client by IPv4 has an IPv4 address, whatever the socket is.
    """

    parser: Any  # None after the connection is lost, when nothing calls it any more
    _fault = ("bad_request", "These bytes are not an HTTP request")
    _steps = 0  # heads that have been read, and pieces of bodies
    _told = 0  # bytes of the head, and of the trailer, that the parser has told of
    _came = 0  # bytes that have come since the last step: of a header the parser tells when the next one begins
    _has_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _InTurn(transport, self.pipeline)
        if self.client is not None:
            self.client = (_unmapped(self.client[0]), self.client[1])

    def data_received(self, data: bytes) -> None:
        if self._has_refused:
            return
        steps = self._steps
        super().data_received(data)
        self._came = self._came + len(data) if steps == self._steps else 0
        if self._came > LONGEST_HEAD and not self._has_refused:
            self._fault = _HEAD_TOO_LARGE
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._told = 0

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value))
        # Trailers are no headers (RFC 9110 section 6.5.1): no proxy in front has looked at them.
        if self.part is RequestPart.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._steps += 1
        # RFC 9112 section 3.2: what stands in front may have routed by another one.
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise self._refused("bad_request", "A request says once, in Host, where it goes")
        if self.parser.should_upgrade() and any(map(_tells_of_body, self.headers)):
            # Its parser takes the body for another protocol, and drops it.
            raise self._refused("bad_request", "A request to upgrade has no body here: send it without Upgrade")
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # what stands behind it in the same bytes is lost: to be sent again

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        super().on_body(body)

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever offers another protocol (RFC 9110 section 7.8) is answered in this one: nothing to warn of."""

    def _grow(self, size: int) -> None:
        self._told += size
        if self._told > LONGEST_HEAD:
            raise self._refused(*_HEAD_TOO_LARGE)

    def _refused(self, code: str, detail: str) -> ValueError:
        """For the parser, which stops, and lets `send_400_response` be called."""
        self._fault = (code, detail)
        return ValueError(detail)

    def head_is_late(self) -> None:
        self._fault = _HEAD_TOO_SLOW
        self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        self._has_refused = True
        self.sending.close()
        if self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            # The fault is in its body: the problem is its answer.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.pipeline:
                self.pipeline.popleft()
        self._refuse_in_turn()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        put_context(cycle.scope, RequestContext(_Connection(cycle)))
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_refused:
            self._refuse_in_turn()

    def _refuse_in_turn(self) -> None:
        """Answers come in the order of the requests (RFC 9112 section 9.3.2)."""
        answering = self.answering
        if answering is not None and answering.disconnected and answering.response_started:
            self.transport.close()  # in the middle of its answer
        elif not self.transport.is_closing() and (
            answering is None or answering.response_complete or answering.disconnected
        ):
            # Its request id would else stay with what the event loop does next, for other connections.
            copy_context().run(self._refuse)

    def _refuse(self) -> None:
        request_id = begin_request(None)
        answer = problem_response({"path": "", "raw_path": b""}, *self._fault)
        headers = [
            *(header for header in self.server_state.default_headers if header[0] != b"connection"),
            *complete_headers(answer.raw_headers, request_id),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        status = HTTPStatus(answer.status_code)
        line = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        self.transport.write(line + head + b"\r\n" + bytes(answer.body))
        if (state := server_state_in(self.app_state)) is not None:
            state.observers.saw_refused(answer.status_code, self._fault[0], len(answer.body))
        # Closed while bytes still come, the connection would be reset, and the answer lost (RFC 9112 section 9.6).
        self.transport.write_eof()
        self.await_taking()
        self.loop.call_later(LINGER, self.transport.close)


class _InTurn(FlowControl):
    """Reads on when the requests that have been read are being answered: uvicorn reads on after each answer, and keeps
    whatever comes, so that a client who sends requests and reads no answers takes all memory."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:  # else the one that is being answered has been read to its end
            super().resume_reading()


_HEAD_TOO_SLOW = ("request_timeout", "The request line and its headers took too long to come")
_HEAD_TOO_LARGE = ("head_too_large", f"The request line and its headers have at most {LONGEST_HEAD} bytes")


class _Connection:
    """What uvicorn knows of the connection of one request. Its reference is weak: the cycle refers to the scope that
    holds this, and a reference back would leave each request to the garbage collector."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = weakref.ref(cycle)

    def break_off(self) -> None:
        """For an application that cannot go on in the middle of its answer, and has said why: uvicorn would close the
        connection, too, with a traceback or a line of its own."""
        cycle = self._cycle()
        if cycle is not None:
            cycle.disconnected = True
            cycle.transport.close()

    def has_left(self) -> bool:
        cycle = self._cycle()
        return cycle is not None and cycle.disconnected

    def body_has_come(self) -> bool:
        cycle = self._cycle()
        return cycle is not None and not cycle.more_body


def _tells_of_body(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == b"transfer-encoding" or (name == b"content-length" and int(value) > 0)


def _unmapped(address: str) -> str:
    """A socket that takes both kinds sees 192.0.2.1 as ::ffff:192.0.2.1 (RFC 4291 section 2.5.5.2): no proxy would be
    recognised, and by their first 64 bits all clients would be one."""
    if not address.startswith("::ffff:"):
        return address
    mapped = IPv6Address(address).ipv4_mapped
    return address if mapped is None else str(mapped)
