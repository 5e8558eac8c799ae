"""What uvicorn's protocol does otherwise than we need it."""

import asyncio
from collections.abc import Sized
from contextvars import copy_context
from http import HTTPStatus
from ipaddress import IPv6Address

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .answer_headers import complete_headers
from .problems import problem_response
from .request_id import begin_request

LINGER = 1.0  # seconds
LONGEST_HEAD = 64 * 1024  # bytes of a request line and its headers; httptools knows no limit


class ProblemProtocol(HttpToolsProtocol):
    """Bytes that its parser refuses never reach an application: uvicorn answers them by itself, as plain text. Here
    they get a problem, too. So do a head that never ends, and a request that does not say once to which host it goes.
    And a client by IPv4 has an IPv4 address, whatever the socket is."""

    _fault = ("bad_request", "These bytes are not an HTTP request")
    _heads = 0  # how many have been read
    _in_head = True
    _told = 0  # bytes of the head that the parser has told of
    _came = 0  # bytes of the head that have come: of a header the parser tells when the next one begins
    _has_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _InTurn(transport, self.pipeline)
        if self.client is not None:
            self.client = (_unmapped(self.client[0]), self.client[1])

    def data_received(self, data: bytes) -> None:
        if self._has_refused:
            return
        heads, was_in_head = self._heads, self._in_head
        super().data_received(data)
        if self._in_head and not self._has_refused:
            self._came = self._came + len(data) if was_in_head and heads == self._heads else 0
            if self._came > LONGEST_HEAD:
                self._fault = _HEAD_TOO_LARGE
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._told = True, 0

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._came, self._heads = False, 0, self._heads + 1
        # RFC 9112 section 3.2: what stands in front may have routed by another one.
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise self._refused("bad_request", "A request says once, in Host, where it goes")
        super().on_headers_complete()

    def _grow(self, size: int) -> None:
        self._told += size
        if self._told > LONGEST_HEAD:
            raise self._refused(*_HEAD_TOO_LARGE)

    def _refused(self, code: str, detail: str) -> ValueError:
        """For the parser, which stops, and lets `send_400_response` be called."""
        self._fault = (code, detail)
        return ValueError(detail)

    def send_400_response(self, msg: str) -> None:
        # Its request id would else stay with what the event loop does next, for other connections.
        copy_context().run(self._refuse)

    def _refuse(self) -> None:
        request_id = begin_request(None)
        answer = problem_response({"path": "", "raw_path": b""}, *self._fault)
        headers = [
            *self.server_state.default_headers,
            *complete_headers(answer.raw_headers, request_id),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        status = HTTPStatus(answer.status_code)
        line = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        self.transport.write(line + head + b"\r\n" + bytes(answer.body))
        # Closed while bytes still come, the connection would be reset, and the answer lost (RFC 9112 section 9.6).
        self._has_refused = True
        self.transport.write_eof()
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


_HEAD_TOO_LARGE = ("head_too_large", f"The request line and its headers have at most {LONGEST_HEAD} bytes")


def _unmapped(address: str) -> str:
    """A socket that takes both kinds sees 192.0.2.1 as ::ffff:192.0.2.1 (RFC 4291 section 2.5.5.2): no proxy would be
    recognised, and by their first 64 bits all clients would be one."""
    if not address.startswith("::ffff:"):
        return address
    mapped = IPv6Address(address).ipv4_mapped
    return address if mapped is None else str(mapped)
