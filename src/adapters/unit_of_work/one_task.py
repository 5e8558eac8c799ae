"""Who is inside right now: a transaction is used by one task at a time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class OneTask:
    """Not a lock: a task that finds it taken is refused by its caller, not made to wait.

    Inside a `with` of it the running task is the occupant. `acting` runs a coroutine in another task on the occupant's
    behalf: COMMIT, for one, is run to its end in a task of its own.
    """

    def __init__(self) -> None:
        self.occupant: asyncio.Task[object] | None = None
        self._deputy: asyncio.Task[object] | None = None
        self._left: asyncio.Future[None] | None = None

    @property
    def is_inside(self) -> bool:
        """Whether the running task is the occupant, or acts for it."""
        return self.occupant is not None and asyncio.current_task() in (self.occupant, self._deputy)

    async def acting(self, work: Coroutine[Any, Any, Result]) -> Result:
        self._deputy = asyncio.current_task()
        try:
            return await work
        finally:
            self._deputy = None

    def enter(self) -> None:
        self.occupant = asyncio.current_task()

    def leave(self, *_: object) -> None:
        self.occupant = None
        if self._left is not None:
            self._left.set_result(None)
            self._left = None

    async def until_left(self) -> None:
        while self.occupant is not None:
            if self._left is None:
                self._left = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._left)

    __enter__, __exit__ = enter, leave
