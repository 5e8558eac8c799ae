"""The queue in front of a pool: as many units of work as it has connections, and a bounded number that wait.

The pool has a queue of its own, without a bound: far more clients than connections would wait there longer than any of
them stays, and all be late. A refusal comes at once, before anything has begun, so the client can try again.
"""

import asyncio
from collections import deque
from contextlib import suppress

from ...domain.errors import Overloaded


class Admission:
    """`size` units at once, in the order in which they came; `most_waiting` wait, each for `longest_wait` seconds.

    `name` is that of the pool. `refused` counts those that were sent away.
    """

    def __init__(self, name: str, size: int, *, most_waiting: int, longest_wait: float) -> None:
        self.name = name
        self.size = size
        self.in_use = 0
        self.refused = 0
        self._most_waiting = most_waiting
        self._longest_wait = longest_wait
        self._turns: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._turns)

    async def enter(self) -> None:
        """Take a slot, which `leave` gives back. Raises `Overloaded`; nothing is taken then, nor when cancelled."""
        self._loop = loop = asyncio.get_running_loop()
        if self.in_use < self.size:
            self.in_use += 1
            return
        if len(self._turns) >= self._most_waiting:
            self.refused += 1
            raise Overloaded("Too many are waiting for the database: come again a little later")
        turn = loop.create_future()
        self._turns.append(turn)
        patience = loop.call_later(self._longest_wait, self._give_up, turn)
        try:
            await turn
        except BaseException:
            if turn in self._turns:
                self._turns.remove(turn)
            elif turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # it was given the slot while it was being cancelled
            raise
        finally:
            patience.cancel()

    def leave(self) -> None:
        """Give the slot to the task that has waited longest."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_use -= 1

    def leave_from_garbage(self) -> None:
        """As `leave`, when the garbage collector has found a unit that was never left: it may run in any thread."""
        with suppress(RuntimeError):  # the event loop has been closed, and with it all who wait
            self._loop.call_soon_threadsafe(self.leave)

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if not turn.done():  # it may have been cancelled in this very step of the event loop
            self._turns.remove(turn)
            self.refused += 1
            turn.set_exception(Overloaded("The turn at the database did not come in time: come again a little later"))
