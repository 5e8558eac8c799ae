"""Who is inside right now: a transaction is used by one task at a time."""

import asyncio


class OneTask:
    """Not a lock: whoever finds it taken is refused by the caller, not made to wait. Inside a `with` of it the running
    task is the occupant."""

    def __init__(self) -> None:
        self.occupant: asyncio.Task[object] | None = None
        self._left: asyncio.Future[None] | None = None

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
