"""What a backend does for one outermost block of a unit of work."""

from enum import Enum, auto
from typing import Protocol


class TransactionMode(Enum):
    __hash__ = object.__hash__  # that of `Enum` is a function of Python's, and every block looks its mode up

    WRITING = auto()
    READING = auto()
    SNAPSHOT = auto()


class Transaction(Protocol):
    """What a backend does for one outermost block. It is used by one task at a time."""

    async def begin(self, mode: TransactionMode) -> None:
        """May raise `Conflict` (busy) or a `StorageError`; `end` is called all the same."""
        ...

    async def commit(self) -> None:
        """Return when it is durable. Raises `Conflict`, `OutcomeUnknown`, a `StorageError`, or a late `Refused`."""
        ...

    async def end(self) -> None:
        """Roll back what is not committed and let go of the connection. Never raises an `Exception`."""
        ...

    def end_at_once(self) -> bool:
        """As `end`, if nothing has to be waited for; else False, and nothing is done. Never raises."""
        ...

    def abort(self) -> None:
        """Called while one of the others is under way, at the last moment of a deadline: let it fail at once, with
        `OutcomeUnknown` if it is `commit`. Does nothing where it cannot be stuck. Never raises."""
        ...

    @property
    def is_pending(self) -> bool:
        """Whether `flush` would write something."""
        ...

    async def flush(self) -> None:
        """Send what is pending, as a statement does."""
        ...

    async def savepoint(self) -> None:
        """Set one more; they end in the reverse order, each by one of the next two."""
        ...

    async def release_savepoint(self) -> None: ...

    async def roll_back_savepoint(self) -> None: ...

    async def pin_snapshot(self) -> None:
        """Inside a reading transaction: let all that follows, until `unpin_snapshot`, see one state."""
        ...

    async def unpin_snapshot(self) -> None: ...
