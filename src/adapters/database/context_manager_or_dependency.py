"""One name for `async with` and for FastAPI's `Depends`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, NamedTuple, cast

from sqlalchemy.ext.asyncio import AsyncSession

from ...domain.errors import UnitOfWorkError
from .plain_session import OneTaskSession

Dependency = Callable[..., Awaitable[AsyncSession]]
OpenBlock = Callable[[], AbstractAsyncContextManager[OneTaskSession]]


class ContextManagerOrDependency:
    """Opens a block by `async with f() as session`, and is a dependency of FastAPI by `Depends(f)`.

    FastAPI (0.165) looks through `__wrapped__`, and finds what the dependency is and depends on there.
    """

    def __init__(self, open_block: OpenBlock, dependency: Callable[[], Dependency]) -> None:
        self._open_block = open_block
        self._dependency = dependency

    def __call__(self, **solved: Any) -> AbstractAsyncContextManager[AsyncSession]:
        """Return a block. FastAPI, which calls it with what `__wrapped__` takes, gets the session of the request."""
        made: Any = self.__wrapped__(**solved) if solved else self._open_block()
        return cast("AbstractAsyncContextManager[AsyncSession]", made)

    @property
    def __wrapped__(self) -> Dependency:
        return self._dependency()


class RequestSession(NamedTuple):
    """Two dependencies that give one session."""

    session: Dependency
    reader: Dependency


def request_session(open_reader: OpenBlock) -> RequestSession:
    """Make the dependencies. They share another, which FastAPI calls once for each request."""
    from fastapi import Depends  # scripts do without it
    from starlette.requests import HTTPConnection

    async def of_request(connection: HTTPConnection) -> AsyncIterator[OneTaskSession]:
        if connection.scope["type"] == "websocket":
            raise UnitOfWorkError(
                "The session of a request would end with the socket, after its messages were sent: write `async with "
                "database.session()` for each message"
            )
        async with open_reader() as session:
            yield session

    # FastAPI ends a generator after the response is sent, unless it has this scope. The two below are functions, to
    # which no scope applies: `Depends(database.session)` has none that could be forgotten.
    once = Depends(of_request, scope="function")

    async def session(solved: Annotated[OneTaskSession, once]) -> AsyncSession:
        await solved.allow_writing()
        return solved

    async def reader(solved: Annotated[OneTaskSession, once]) -> AsyncSession:
        return solved

    return RequestSession(session, reader)
