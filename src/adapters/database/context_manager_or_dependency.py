"""One call for `async with` and for FastAPI's `Depends`."""

import contextlib
import functools
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ContextManagerOrDependency(AsyncGenerator[T, None], Generic[T]):
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


def context_manager_or_dependency(
    function: Callable[P, AsyncGenerator[T, None]],
) -> Callable[P, ContextManagerOrDependency[T]]:
    """Make of an async generator function one thing for `async with f()` and for `Depends(f, scope="function")`.

    `functools.wraps` is the trick: FastAPI (0.123.5 and later) looks through it and sees a generator function.
    """

    @functools.wraps(function)
    def door(*args: P.args, **kwargs: P.kwargs) -> ContextManagerOrDependency[T]:
        return ContextManagerOrDependency(function(*args, **kwargs))

    return door
