"""How long a connection waits for its client, at the price of one timer that hardly ever strikes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ...config import Settings


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """In seconds. `body` is for what is left of a body that nobody wants: who reads one waits for it."""

    head: float
    body: float
    send: float
    keep_alive: float

    @classmethod
    def of(cls, settings: Settings) -> "ClientTimeouts":
        return cls(settings.head_timeout, settings.body_timeout, settings.send_timeout, settings.keep_alive_timeout)


class Alarm:
    """Calls `ring` at a time that is moved far more often than it is reached.

    To move it to later, or to stop it, sets a number: the event loop's timer that is there already looks at it.
    """

    _time: float | None = None
    _handle: asyncio.TimerHandle | None = None
    _handle_time = 0.0
    _is_closed = False

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring

    def set(self, seconds: float) -> None:
        if self._is_closed:
            return
        self._time = self._loop.time() + seconds
        if self._handle is None or self._handle_time > self._time:
            self._wait_until(self._time)

    def stop(self) -> None:
        self._time = None

    def close(self) -> None:
        """For ever: the event loop forgets it."""
        self._is_closed, self._time = True, None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wait_until(self, time: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle_time = time
        self._handle = self._loop.call_at(time, self._look)

    def _look(self) -> None:
        self._handle = None
        if self._time is None:
            return
        if self._time > self._handle_time:
            self._wait_until(self._time)
        else:
            self._time = None
            self._ring()
