"""An `AsyncClient` that is called like a `Client`, so that one suite drives both."""

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from anyio.from_thread import BlockingPortal
from steward.client import AsyncClient, AsyncListing

_END = object()


class Blocking:
    """`inner` is an `AsyncClient` or a part of one; what it awaits runs in the loop of `portal`."""

    def __init__(self, inner: object, portal: BlockingPortal) -> None:
        self._inner = inner
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._called(found) if callable(found) else Blocking(found, self._portal)

    def __iter__(self) -> "Blocking":
        walk: Any = self._inner
        return Blocking(aiter(walk), self._portal)

    def __next__(self) -> Any:
        walk: Any = self._inner
        found = self._portal.call(_next_of, walk)
        if found is _END:
            raise StopIteration
        return found

    def _called(self, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._awaited(function(*args, **kwargs))

        return call

    def _awaited(self, result: Any) -> Any:
        if inspect.isawaitable(result):
            done = self._portal.call(_wait, result)
            return self if isinstance(done, AsyncClient) else done
        if hasattr(result, "__aenter__"):
            return self._entered(result)
        return Blocking(result, self._portal) if isinstance(result, AsyncListing) or _is_walk(result) else result

    @contextmanager
    def _entered(self, manager: Any) -> Iterator[Any]:
        blocking: AbstractContextManager[Any] = self._portal.wrap_async_context_manager(manager)
        with blocking as value:
            yield Blocking(value, self._portal)


def _is_walk(value: object) -> bool:
    return hasattr(value, "__anext__")


async def _next_of(walk: AsyncIterator[Any]) -> Any:
    return await anext(walk, _END)


async def _wait(awaitable: Any) -> Any:
    return await awaitable
