"""The unit of work: one object owns the connection and the transaction, and nobody else ever commits.

What every backend promises (`docs/unit-of-work.md` tells it at length; the contract suite in `steward.testing` proves
it):

 1. Rolled back unless committed. Leaving the block without `commit()`, or by any exception, cancellation included,
    leaves no trace. The exception arrives unchanged.
 2. Closed always. Whatever happens, the connection is back in the pool or dropped, never left in a transaction.
 3. Commit before the answer. `commit()` returns after the database has acknowledged.
 4. Blocks nest by joining. `async with uow:` inside `async with uow:` joins: only the outermost commit commits. An
    inner block left by an exception, or left without `commit()` after it has written, makes the whole transaction
    rollback-only: the outer `commit()` raises `TransactionAborted`. `savepoint()` confines such a failure, except
    after a `Conflict` or a cancellation. After `commit()` the repositories of that block raise until it is left.
 5. Conflicts retry from outside: `steward.service_layer.retry.run`. A use case never retries.
 6. Reads are cheap. `reading()` gives the same repositories without BEGIN and COMMIT; a write in it raises `ReadOnly`.
 7. One task at a time, else `ConcurrentUse`. A second unit of work on the same database inside an open one raises
    `AlreadyInTransaction` at once, instead of a dead-lock.
 8. No lost update. The version is checked in the UPDATE itself: `VersionMismatch` if the caller named it, else
    `Conflict`. So is it a `Conflict` when a block that writes meets an entity in two versions, and only one is its own.
 9. A failed statement is not forgotten: whoever swallows its error and commits gets `TransactionAborted`.
10. An unknown outcome is named: `OutcomeUnknown`, when the connection is lost, or a deadline strikes, during COMMIT.
"""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from ..domain.repositories import (
    AttemptRepository,
    IdempotencyKeyRepository,
    ItemRepository,
    LoginSessionRepository,
    UserRepository,
)


class UnitOfWork(Protocol):
    """Enter it as often as you like: between blocks it is closed, and entering it again begins a new transaction."""

    @property
    def users(self) -> UserRepository: ...

    @property
    def items(self) -> ItemRepository: ...

    @property
    def login_sessions(self) -> LoginSessionRepository: ...

    @property
    def attempts(self) -> AttemptRepository: ...

    @property
    def idempotency_keys(self) -> IdempotencyKeyRepository: ...

    @property
    def now(self) -> datetime:
        """The time of this transaction, UTC: drawn once, when the outermost block is entered.

        Raises `NotInTransaction` if no block is open.
        """
        ...

    @property
    def is_open(self) -> bool:
        """Whether a block of this unit is open."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def commit(self) -> None:
        """Once a block, as its last deed. Raises `TransactionAborted`, `Conflict`, `OutcomeUnknown`, `StorageError`."""
        ...

    def reading(self, *, snapshot: bool = False) -> AbstractAsyncContextManager[Self]:
        """A block for reads alone. Each statement sees its own snapshot, or with `snapshot` all see one.

        Inside a writing block it joins: it sees the uncommitted writes, and is as isolated as that block is.
        A writing block inside it raises `ReadOnly`.
        """
        ...

    def savepoint(self) -> AbstractAsyncContextManager[Self]:
        """A part that may fail alone: left by an exception, its work is undone and the block around it may go on.

        Left normally its work is kept; it has no commit of its own. If something in it had failed and was
        swallowed, leaving it undoes its work and raises `TransactionAborted`.
        """
        ...

    def freeze_time(self) -> AbstractContextManager[None]:
        """Every transaction begun inside has the same `now`: a retry repeats the same unit, not a later one."""
        ...
