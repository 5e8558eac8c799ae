"""Lists: described by a query, and walked page by page as far as the caller goes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx2

from .calls import Call, Operation, call
from .values import Page, time_text

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Query(Generic[Row]):
    """`at` is the parameter of the operation's path; `cursor` is where the walk begins."""

    operation: Operation
    row_of: Callable[[Mapping[str, Any]], Row]
    parameters: Mapping[str, str]
    at: int | str | None = None
    cursor: str | None = None

    def page(self, cursor: str | None, *, limit: int | None = None, count: bool = False) -> Call[Page[Row]]:
        extra = parameters(cursor=cursor, limit=limit, count=count or None)
        return call(self.operation, self._read, at=self.at, query={**self.parameters, **extra})

    def _read(self, response: httpx2.Response) -> Page[Row]:
        found = response.json()
        return Page(tuple(map(self.row_of, found["data"])), found["next_cursor"], found.get("count"))


class Listing(Generic[Row]):
    """A list that is fetched while it is walked, each time anew."""

    def __init__(self, call: Callable[[Call[Page[Row]]], Page[Row]], query: Query[Row]) -> None:
        self._call = call
        self._query = query

    def __iter__(self) -> Iterator[Row]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[Page[Row]]:
        cursor = self._query.cursor
        while True:
            page = self._call(self._query.page(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def first_page(self, *, count: bool = False) -> Page[Row]:
        """With `count` it knows how many rows there are on all pages together."""
        return self._call(self._query.page(self._query.cursor, count=count))

    def count(self) -> int:
        """How many rows there are on all pages together."""
        return _count_of(self._call(self._query.page(None, limit=1, count=True)))


class AsyncListing(Generic[Row]):
    """A list that is fetched while it is walked, each time anew."""

    def __init__(self, call: Callable[[Call[Page[Row]]], Awaitable[Page[Row]]], query: Query[Row]) -> None:
        self._call = call
        self._query = query

    async def __aiter__(self) -> AsyncIterator[Row]:
        async for page in self.pages():
            for row in page:
                yield row

    async def pages(self) -> AsyncIterator[Page[Row]]:
        cursor = self._query.cursor
        while True:
            page = await self._call(self._query.page(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def first_page(self, *, count: bool = False) -> Page[Row]:
        """With `count` it knows how many rows there are on all pages together."""
        return await self._call(self._query.page(self._query.cursor, count=count))

    async def count(self) -> int:
        """How many rows there are on all pages together."""
        return _count_of(await self._call(self._query.page(None, limit=1, count=True)))


def parameters(**given: str | int | bool | datetime | None) -> dict[str, str]:
    """Of a query; those that are None are left out. Raises `ValueError` for a naive time."""
    return {name: _text(value) for name, value in given.items() if value is not None}


def _text(value: str | int | bool | datetime) -> str:
    if isinstance(value, datetime):
        return time_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _count_of(page: Page[Any]) -> int:
    assert page.count is not None
    return page.count
