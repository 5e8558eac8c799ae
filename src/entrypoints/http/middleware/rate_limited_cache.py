"""What costs much to make, and may be asked for by anybody."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")

PART = 0.1  # of the time, at most, is spent on making it
LONGEST_PAUSE = 1.0  # seconds: nobody waits longer because the machine was busy once


class RateLimitedCache(Generic[Made]):
    """Made after it was asked for, for all who have asked by then; they wait where it has been made too often."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._next: asyncio.Task[Made] | None = None
        self._due = 0.0

    async def get(self) -> Made:
        if self._next is None:
            self._next = asyncio.create_task(self._make_when_due())
        return await asyncio.shield(self._next)

    async def _make_when_due(self) -> Made:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._due - now()))
        self._next = None  # whoever asks from now on gets a later one
        began = now()
        try:
            return self._make()
        finally:
            self._due = now() + min(LONGEST_PAUSE, (now() - began) * (1 / PART - 1))
