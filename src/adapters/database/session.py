"""The session of a unit of work: an `AsyncSession` that leaves the transaction to the unit of work.

The rules stand on the *sync* session, because every method of `AsyncSession`, `run_sync`, lazy loads and
`awaitable_attrs` end in a few of its methods. What goes past it meets the events of the connection
(`connection_events`).
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession
from sqlalchemy.orm import Session

from ...domain.errors import UnitOfWorkError
from .connection_events import AT_ONCE, LISTENER, ConnectionListener
from .drivers.left_state import expect_left_state


class SessionOwner(ConnectionListener, Protocol):
    """The unit of work, as its session sees it."""

    @property
    def is_inside(self) -> bool:
        """Whether the running task is inside a statement or a step of this unit already."""
        ...

    @property
    def in_step(self) -> bool:
        """Whether it is in a step of the transaction: only there the session begins, commits, rolls back and closes."""
        ...

    def enter_session(self, session: "GuardedSyncSession", *, attach_only: bool = False) -> None:
        """Begin a statement, or raise: another task is inside, or the session's block has ended."""

    def leave_session(self, error: BaseException | None) -> None:
        """End the statement. Raises the domain's error for `error`, if there is one."""

    def before_write(self) -> None:
        """Raise `ReadOnly`, or remember that the block has written."""

    def savepoint(self) -> AbstractAsyncContextManager[Any]: ...


class GuardedSyncSession(Session):
    owner: SessionOwner
    in_use: Connection | None = None
    streams = True
    is_flushing = False
    handed_over: Callable[[], Connection] | None = None  # makes a connection whose transaction has begun already

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        self.refuse_late_use()
        return super().get_bind(*args, **kwargs) if self.handed_over is None else self.handed_over()

    def refuse_late_use(self, *_: object) -> None:
        """Raise `NotInTransaction` after the session's block, and `ConcurrentUse` in a second task."""
        if not self.owner.is_inside:
            self.owner.enter_session(self, attach_only=True)

    @property
    def is_pending(self) -> bool:
        """Whether a flush would write. An attribute that was set to the value that it had is no change."""
        if not self.identity_map and not self.new:  # asked around every statement, nearly always of an empty session
            return False
        return bool(self.new or self.deleted) or any(self.is_modified(each) for each in self.dirty)

    def acquire(self) -> Connection:
        """Return the connection of the transaction, for statements of our own; begin if that has not been done."""
        if self.in_use is None or self.in_use.closed or self.in_nested_transaction():
            return super().connection()
        return self.in_use

    @property
    def holds_connection(self) -> bool:
        """Whether its own connection is open: an error may have torn SQLAlchemy's end of the transaction."""
        return self.handed_over is None and self.in_use is not None and not self.in_use.closed

    def drop_connection(self) -> None:
        if self.in_use is not None:
            self.in_use.invalidate()
            self.in_use.close()

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        connection: Connection = _guarded(Session.connection)(self, *args, **kwargs)
        expect_left_state(connection)  # what its driver is asked to do is not seen
        return connection

    def write_pending(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Run a method of `Session` that writes objects and, if it fails, rolls back by itself."""
        self.owner.before_write()
        self.is_flushing = True
        try:
            write(self, *args, **kwargs)
        except BaseException as error:  # of Python's too: what was flushed before it stays in the transaction
            first = self.owner.statement_failed(error, heals=isinstance(error, Exception))
            if isinstance(error, Exception) and not isinstance(first, Exception):
                raise first from error  # it was cancelled, and SQLAlchemy could not roll back to its savepoint
            raise
        finally:
            self.is_flushing = False


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def guarded(self: GuardedSyncSession, *args: Any, **kwargs: Any) -> Any:
        owner = self.owner
        if owner.is_inside:  # a repository's method, a step of the unit, or one of these methods calls another
            return method(self, *args, **kwargs)
        owner.enter_session(self)
        try:
            result = method(self, *args, **kwargs)
        except BaseException as error:
            owner.leave_session(error)
            raise
        owner.leave_session(None)
        return result

    return guarded


def _writing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def writing(self: GuardedSyncSession, *args: Any, **kwargs: Any) -> None:
        self.write_pending(method, *args, **kwargs)

    return _guarded(writing)


def _flush(self: GuardedSyncSession, objects: Sequence[Any] | None = None) -> None:
    if self.is_pending:
        self.write_pending(Session.flush, objects)
    elif self.identity_map:
        Session.flush(self, objects)


def _only_in_step(name: str, instead: str) -> Callable[..., Any]:
    method = getattr(Session, name)

    @functools.wraps(method)
    def only_in_step(self: GuardedSyncSession, *args: Any, **kwargs: Any) -> Any:
        if not self.owner.in_step:
            raise UnitOfWorkError(f"The unit of work owns this session. Instead of session.{name}(), {instead}")
        return method(self, *args, **kwargs)

    return only_in_step


for _name in ("execute", "scalar", "scalars"):
    setattr(GuardedSyncSession, _name, _guarded(getattr(Session, _name)))
for _name in ("bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"):
    setattr(GuardedSyncSession, _name, _writing(getattr(Session, _name)))
GuardedSyncSession.flush = functools.wraps(Session.flush)(_guarded(_flush))  # type: ignore[method-assign]
for _name, _instead in (
    ("commit", "call uow.commit()"),
    ("prepare", "call uow.commit()"),
    ("rollback", "leave the block without uow.commit()"),
    ("close", "leave the block"),
    ("reset", "leave the block"),
    ("invalidate", "leave the block by an exception"),
    ("begin", "enter the unit of work"),
    ("begin_nested", "enter uow.savepoint()"),
):
    setattr(GuardedSyncSession, _name, _only_in_step(_name, _instead))


event.listen(GuardedSyncSession, "before_attach", GuardedSyncSession.refuse_late_use)


@event.listens_for(GuardedSyncSession, "after_begin")
def _listen(session: GuardedSyncSession, _: object, connection: Connection) -> None:
    session.in_use = connection
    connection.execution_options(**{LISTENER: session.owner})


class GuardedSession(AsyncSession):
    """For queries and ORM objects of one's own inside a unit of work, in its transaction.

    Raises:
        UnitOfWorkError: by `commit`, `rollback`, `close`, `reset`, `invalidate` and `begin`.
        ConcurrentUse: if another task is inside the unit of work.
        NotInTransaction: after `uow.commit()` of its block, and after its block.
    """

    sync_session_class = GuardedSyncSession
    sync_session: GuardedSyncSession  # pyright: ignore[reportIncompatibleVariableOverride] - made of the class above

    def begin_nested(self) -> Any:
        """As `uow.savepoint()`, to be entered by `async with`."""
        self.sync_session.refuse_late_use()
        return self.sync_session.owner.savepoint()

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """As in `AsyncSession`; in a reading block all rows are read at once, because a stream needs a transaction."""
        result: AsyncResult[Any]
        if self.sync_session.streams:
            result = await super().stream(*args, **kwargs)
        else:
            kwargs["execution_options"] = {**(kwargs.get("execution_options") or {}), **AT_ONCE}
            result = AsyncResult(await self.execute(*args, **kwargs))
        return result
