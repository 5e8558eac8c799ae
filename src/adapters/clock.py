"""The clock port of the application is a function that returns an aware UTC datetime; this is the real one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime


def system_clock() -> datetime:
    return datetime.now(UTC)


class FrozenTime(AbstractContextManager[None]):
    """Of one unit of work. `time` is when the outermost of its blocks was entered, None outside them."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._depth = 0
        self.time: datetime | None = None

    def __enter__(self) -> None:
        self.time = self.time or self._clock()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.time = None
