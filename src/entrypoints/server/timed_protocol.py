"""uvicorn's protocol, with an end to its patience."""

import asyncio
import socket
import struct
import sys
from abc import abstractmethod
from enum import Enum

import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .client_timeouts import Alarm, ClientTimeouts

_NO_LINGER = struct.pack("ii", 1, 0)


class RequestPart(Enum):
    """What of a message is being read."""

    NONE = "none"
    HEAD = "head"
    BODY = "body"


class TimedConfig(uvicorn.Config):
    """What uvicorn's protocol is configured with, and how long it waits for a client."""

    client_timeouts: ClientTimeouts


class TimedProtocol(HttpToolsProtocol):
    """A client that sends nothing while it is its turn, or takes nothing of what it is sent, is hung up on.

    uvicorn waits for a head, for the rest of a body that nobody reads, for what comes after a blank line, and for an
    answer to be taken, as long as the client likes. A body that somebody reads is timed by who reads it.
    """

    config: TimedConfig
    part = RequestPart.NONE
    answering: RequestResponseCycle | None = None  # the first of those that have been read
    _begun = 0  # messages
    _untaken: int | None = None  # bytes, when `_taking` was set; None if nobody has looked
    _expected: tuple[RequestPart, int] | None = (RequestPart.NONE, 0)

    @abstractmethod
    def head_is_late(self) -> None:
        """Say so."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.sending = Alarm(self.loop, self._client_sends_nothing)
        self._taking = Alarm(self.loop, self._client_takes_nothing)
        self.sending.set(self.config.client_timeouts.head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.sending.close()
        self._taking.close()
        # uvicorn tells the last request that its client has left: of several it is the first that is being answered.
        # The others do not begin, then.
        if self.answering is not None and not self.answering.response_complete:
            self.answering.disconnected = True
            self.answering.message_event.set()
        super().connection_lost(exc)

    # What it sends

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1
        self.part = RequestPart.HEAD

    def on_headers_complete(self) -> None:
        self.part = RequestPart.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.part = RequestPart.NONE
        super().on_message_complete()

    def _expect(self) -> None:
        """Give the client its time for what it has to send now, if that is something new."""
        answered = self.cycle is None or self.cycle.response_complete
        expected = (self.part, self._begun) if answered or self.part is RequestPart.HEAD else None
        if expected == self._expected:
            return
        self._expected = expected
        timeouts = self.config.client_timeouts
        if expected is None:
            self.sending.stop()
        elif self.part is not RequestPart.HEAD:
            self.sending.set(timeouts.body if self.part is RequestPart.BODY else timeouts.keep_alive)
        elif self._begun > 1:  # the first one's time began with the connection
            self.sending.set(timeouts.head)

    def _client_sends_nothing(self) -> None:
        if self.flow.read_paused:  # perhaps it does, and it is we who do not look
            self.sending.set(self.config.client_timeouts.head)
        elif self.part is RequestPart.HEAD:
            self.head_is_late()
        else:
            self.transport.close()

    # What it takes

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.answering = cycle
        self.await_taking()
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # any byte would end it, and none begin it again
        self._expect()
        self.await_taking()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.await_taking(self._left_to_take())

    def await_taking(self, untaken: int | None = None) -> None:
        self._untaken = untaken
        self._taking.set(self.config.client_timeouts.send)

    def _left_to_take(self) -> int:
        """Bytes. Most are the system's: to see only ours go would be to see a slow client stand still."""
        return self.transport.get_write_buffer_size() + _held_by_the_system(self.transport.get_extra_info("socket"))

    def _client_takes_nothing(self) -> None:
        left = self._left_to_take()
        answered = self.cycle is None or self.cycle.response_complete
        if answered and not left:
            return
        still_written = not (answered or self.flow.write_paused or self.transport.is_closing())
        if still_written or self._untaken is None or left < self._untaken:
            self.await_taking(left)
            return
        # A reset: else the system would go on for minutes to offer the client what it holds.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


def _held_by_the_system(sent_to: socket.socket) -> int:
    """Bytes that the client has not acknowledged; 0 where the system does not tell."""
    try:
        import fcntl  # POSIX has them alone
        import termios

        held = fcntl.ioctl(sent_to.fileno(), termios.TIOCOUTQ, bytes(4))
    except (ImportError, OSError):
        return 0
    return int.from_bytes(held, sys.byteorder)
