"""How long whoever asked will wait for the answer.

A deadline has two ends. At the first, what is still being done is cancelled and rolled back, and the caller is told so.
A COMMIT that has begun by then may go on to the second, shortly after: what it did is only known when it has answered.
There it is abandoned, its connection with it, and its outcome is unknown. Both come before the time that was given, so
that the answer comes within it.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from types import TracebackType

from ..domain.errors import DeadlineExceeded

LONGEST_RESERVE = 0.5  # seconds between the first end, the second, and the time that was given
RESERVE = 0.05  # of that time, where it is short
STATEMENT = 5.0  # seconds, what a further attempt has to have before it


class _Deadline:
    """Times of the event loop. `around` is the one that it stands in.

    `asyncio.timeout` would do, but its end can only be moved by a new timer, twice around each COMMIT.
    """

    def __init__(self, ends_at: float, reserve: float, statement: float, around: "_Deadline | None") -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "a deadline cancels the task that runs inside it"
        self._task = task
        self._cancelling = task.cancelling()
        self.ends_at = ends_at
        self.last_moment = ends_at + reserve
        self.statement = statement
        self.around = around
        self.commits = 0  # under way
        self.is_over = self.has_struck = False
        self._is_last = False
        self._alarm = self._loop.call_at(ends_at, self._strike)

    def _strike(self) -> None:
        if self.commits and not self._is_last:
            self.give_until_last_moment()
        else:
            self.has_struck = True
            self._task.cancel()

    def give_until_last_moment(self) -> None:
        self._is_last = True
        self._alarm.cancel()
        self._alarm = self._loop.call_at(self.last_moment, self._strike)

    def end(self) -> bool:
        """Whether it was this one that has cancelled what was inside, and nobody else has."""
        self.is_over = True
        self._alarm.cancel()
        # As in `asyncio.Timeout`: the task is not cancelled any more, unless somebody else wants it, too.
        return self.has_struck and self._task.uncancel() <= self._cancelling


_current: ContextVar[_Deadline | None] = ContextVar("steward_deadline", default=None)


class within(AbstractAsyncContextManager[None]):  # noqa: N801 - as `asyncio.timeout`, which it is to its users
    """Raise `DeadlineExceeded` if the block takes longer; what it was doing has been cancelled then, and rolled back.
    What it had committed before stays.

    `statement` is how long one statement may take: `run` begins no further attempt when less than that is left, or
    less than half of the time where that is short. Inside a block that ends earlier this one changes nothing.
    """

    def __init__(self, seconds: float, *, statement: float = STATEMENT) -> None:
        self._seconds = seconds
        self._statement = statement
        self._deadline: _Deadline | None = None

    async def __aenter__(self) -> None:
        seconds = self._seconds
        reserve = min(LONGEST_RESERVE, seconds * RESERVE)
        ends_at = _now() + seconds - 2 * reserve
        around = _in_force()
        if around is None or around.ends_at > ends_at:
            self._deadline = _Deadline(ends_at, reserve, min(self._statement, seconds / 2), around)
            _current.set(self._deadline)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        deadline = self._deadline
        if deadline is None:
            return
        _current.set(deadline.around)  # not by a token: a generator may be closed in another context
        was_late = deadline.end()
        if (was_late and kind is asyncio.CancelledError) or (deadline.has_struck and isinstance(error, TimeoutError)):
            raise DeadlineExceeded("It took longer than it may, and was rolled back") from None


def allows_another_attempt() -> bool | None:
    """Whether a statement that takes its time would still be answered; None without a deadline."""
    deadline = _in_force()
    return None if deadline is None else deadline.ends_at - _now() >= deadline.statement


def last_moment() -> float | None:
    """The time of the event loop at which what cannot be cancelled is abandoned; None without a deadline."""
    deadline = _in_force()
    return None if deadline is None else deadline.last_moment


class committing(AbstractContextManager[None]):  # noqa: N801 - as `within`
    """Around a COMMIT: not the first end of the deadline holds meanwhile, but the second.

    If it was in time, the first holds again: what comes after it has an end of its own to be rolled back, too.
    """

    _deadline: _Deadline | None = None

    def __enter__(self) -> None:
        deadline = _in_force()
        if deadline is not None and not deadline.has_struck:
            self._deadline = deadline
            deadline.commits += 1

    def __exit__(self, *_: object) -> None:
        deadline = self._deadline
        if deadline is not None:
            deadline.commits -= 1
            # Later than that the second holds on: to be cancelled now would be to be told that nothing was stored.
            # It strikes once: uvloop's timers may be early, by half a millisecond.
            is_at_its_end = deadline.is_over or deadline.has_struck
            if not is_at_its_end and deadline.ends_at <= _now() < deadline.last_moment:
                deadline.give_until_last_moment()


def _in_force() -> _Deadline | None:
    """A task may outlive the block in which it was started: nobody waits for it there any more."""
    deadline = _current.get()
    while deadline is not None and deadline.is_over:
        deadline = deadline.around
    return deadline


def _now() -> float:
    return asyncio.get_running_loop().time()
