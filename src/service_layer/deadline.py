"""How long whoever asked will wait for the answer.

A deadline has two ends. At the first, what is still being done is cancelled and rolled back, and the caller is told so.
A COMMIT that has begun by then may go on to the second, shortly after: what it did is only known when it has answered.
There it is abandoned, its connection with it, and its outcome is unknown. Both come before the time that was given, so
that the answer comes within it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ..domain.errors import DeadlineExceeded

LONGEST_RESERVE = 0.5  # seconds between the first end, the second, and the time that was given
RESERVE = 0.05  # of that time, where it is short
STATEMENT = 5.0  # seconds, what a further attempt has to have before it


@dataclass(frozen=True, slots=True, eq=False)
class _Deadline:
    """Times of the event loop."""

    ends_at: float
    last_moment: float
    statement: float
    timeout: asyncio.Timeout


_current: ContextVar[_Deadline | None] = ContextVar("steward_deadline", default=None)


@asynccontextmanager
async def within(seconds: float, *, statement: float = STATEMENT) -> AsyncIterator[None]:
    """Raise `DeadlineExceeded` if the block takes longer; what it was doing has been cancelled then.

    `statement` is how long one statement may take: `run` begins no further attempt when less than that is left. Inside
    a block that ends earlier this one changes nothing.
    """
    now = asyncio.get_running_loop().time()
    reserve = min(LONGEST_RESERVE, seconds * RESERVE)
    around = _current.get()
    if around is not None and around.ends_at <= now + seconds - 2 * reserve:
        yield
        return
    ends_at = now + seconds - 2 * reserve
    try:
        async with asyncio.timeout_at(ends_at) as timeout:
            _current.set(_Deadline(ends_at, ends_at + reserve, statement, timeout))
            try:
                yield
            finally:
                _current.set(around)  # not by a token: a generator may be closed in another context
    except TimeoutError:
        if not timeout.expired():
            raise
        raise DeadlineExceeded("It took longer than it may: nothing was stored") from None


def remaining() -> float | None:
    """Seconds until what is being done is cancelled; None without a deadline."""
    deadline = _current.get()
    return None if deadline is None else deadline.ends_at - _now()


def allows_another_attempt() -> bool | None:
    """Whether a statement that takes its time would still be answered; None without a deadline."""
    deadline = _current.get()
    return None if deadline is None else deadline.ends_at - _now() >= deadline.statement


def last_moment() -> float | None:
    """The time of the event loop at which what cannot be cancelled is abandoned; None without a deadline."""
    deadline = _current.get()
    return None if deadline is None else deadline.last_moment


def extend_to_last_moment() -> None:
    """A COMMIT begins: not the first end of the deadline holds from now on, but the second."""
    deadline = _current.get()
    if deadline is not None and not deadline.timeout.expired() and deadline.timeout.when() != deadline.last_moment:
        deadline.timeout.reschedule(deadline.last_moment)


def _now() -> float:
    return asyncio.get_running_loop().time()
