"""The plain answer to the old question: a session that works in `async with` and in `Depends` alike."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession, AsyncSessionTransaction

from ...domain.errors import ConcurrentUse, TransactionAborted
from .. import open_blocks
from ..completion import run_to_completion
from ..one_task import OneTask
from .error_translation import translate

P = ParamSpec("P")
T = TypeVar("T")


class OneTaskSession(AsyncSession):
    """An `AsyncSession` that refuses a second task instead of mixing two tasks' statements.

    SQLAlchemy makes such tasks take turns, but a rollback under the other's running statement leaves a pooled
    connection broken for the next innocent user (asyncpg issue 978). `AsyncSession` is documented as unsafe for
    concurrent tasks; this says so at run time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.one_task = OneTask()
        self.intruded = False
        self.is_closed = False

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        occupant = self.one_task.occupant
        if occupant is None:
            with self.one_task.inside():
                yield
        elif occupant is asyncio.current_task():
            yield  # one method of the session calling another
        else:
            self.intruded = True
            raise ConcurrentUse("Another task is inside this session: give each task a session of its own")

    async def commit(self) -> None:
        """Awaited to its end also when the task is cancelled, so that its outcome is known.

        Raises `TransactionAborted` if a statement had failed and its error was swallowed.
        """
        with self.alone():
            try:
                await run_to_completion(super().commit())
            except PendingRollbackError as error:  # a failed flush or commit, or a connection that was lost
                raise TransactionAborted("The transaction had failed and can only be rolled back") from error

    async def rollback(self) -> None:
        """Awaited to its end also when the task is cancelled: a torn ROLLBACK costs the connection."""
        with self.alone():
            await run_to_completion(super().rollback())

    async def close(self) -> None:
        """Rolls back. A block may do it early, after a commit of its own."""
        with self.alone():
            await run_to_completion(super().close())
            self.is_closed = True

    def begin(self) -> AsyncSessionTransaction:
        return _OneTaskTransaction(self)

    def begin_nested(self) -> AsyncSessionTransaction:
        return _OneTaskTransaction(self, nested=True)


class ReaderSession(OneTaskSession):
    async def stream(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """All rows are fetched at once: PostgreSQL streams inside a transaction only, and a reader has none."""
        return AsyncResult(await self.execute(*args, **kwargs))


class _OneTaskTransaction(AsyncSessionTransaction):
    """What `begin` and `begin_nested` give; it too lets one task in at a time."""

    session: OneTaskSession

    async def start(self, is_ctxmanager: bool = False) -> AsyncSessionTransaction:
        with self.session.alone():
            return await run_to_completion(super().start(is_ctxmanager))

    async def commit(self) -> None:
        with self.session.alone():
            await run_to_completion(super().commit())

    async def rollback(self) -> None:
        with self.session.alone():
            await run_to_completion(super().rollback())

    async def __aexit__(self, type_: Any, value: Any, traceback: Any) -> None:
        with self.session.alone():
            await run_to_completion(super().__aexit__(type_, value, traceback))


def _guarded(name: str) -> Callable[..., Any]:
    method = getattr(AsyncSession, name)

    @functools.wraps(method)
    async def guarded(self: OneTaskSession, *args: Any, **kwargs: Any) -> Any:
        with self.alone():
            return await method(self, *args, **kwargs)

    return guarded


for _name in (
    "connection",
    "delete",
    "delete_all",
    "execute",
    "flush",
    "get",
    "get_one",
    "invalidate",
    "merge",
    "merge_all",
    "refresh",
    "reset",
    "run_sync",
    "scalar",
    "scalars",
    "stream",
    "stream_scalars",
):
    setattr(OneTaskSession, _name, _guarded(_name))


@dataclass(slots=True, eq=False)
class _SessionBlock:
    store: object
    is_open: bool = True


@contextlib.asynccontextmanager
async def session_block(session: OneTaskSession, store: object) -> AsyncIterator[AsyncSession]:
    """Commit on success, roll back on any error or cancellation, close always.

    The error of the block arrives unchanged. A failing commit raises `TransactionAborted` if a statement had failed
    and its error was swallowed, `ConcurrentUse` if another task was still inside, `OutcomeUnknown` if the connection
    broke, and SQLAlchemy's own error otherwise. Raises `AlreadyInTransaction` inside another block on `store`.
    """
    open_blocks.refuse_second(store)
    block = _SessionBlock(store)
    open_blocks.enter(block)
    try:
        try:
            yield session
        except BaseException:
            await run_to_completion(_roll_back(session))
            raise
        await run_to_completion(_commit(session))
    finally:
        block.is_open = False
        open_blocks.leave(block)


async def _roll_back(session: OneTaskSession) -> None:
    await session.one_task.until_left()
    try:
        await session.close()  # rolls back
    except Exception:  # the connection was lost, and with it the transaction
        await session.invalidate()


async def _commit(session: OneTaskSession) -> None:
    intruded = session.intruded or session.one_task.occupant is not None
    await session.one_task.until_left()
    try:
        if intruded:
            raise ConcurrentUse("Another task was inside the session: nothing is committed")
        if not session.is_closed:
            await session.commit()
    except Exception as error:
        translated = translate(error, committing=True)
        if translated is None or translated is error:
            raise
        raise translated from error
    finally:
        await _roll_back(session)


class Door(AsyncGenerator[T, None], Generic[T]):
    """What a call of a session door returns: an async context manager and an async generator in one.

    FastAPI unwraps a dependency to the generator function behind it, and drives what the call returns as a
    generator; `async with` uses it as a context manager.
    """

    def __init__(self, generator: AsyncGenerator[T, None]) -> None:
        self._generator = generator
        self._manager = contextlib.asynccontextmanager(lambda: generator)()

    async def __aenter__(self) -> T:
        return await self._manager.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await anext(self._generator)

    async def asend(self, value: None) -> T:
        return await self._generator.asend(value)

    async def athrow(self, *error: Any) -> T:
        return await self._generator.athrow(*error)

    async def aclose(self) -> None:
        await self._generator.aclose()


def session_door(function: Callable[P, AsyncGenerator[T, None]]) -> Callable[P, Door[T]]:
    """Make of an async generator function one thing for `async with f()` and for `Depends(f, scope="function")`.

    `functools.wraps` is the trick: FastAPI (0.123.5 and later) looks through it and sees a generator function.
    """

    @functools.wraps(function)
    def door(*args: P.args, **kwargs: P.kwargs) -> Door[T]:
        return Door(function(*args, **kwargs))

    return door
