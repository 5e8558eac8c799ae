"""Is the database there? Asked outside the pools, so that one that is full does not look like one that is gone."""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from ...domain.errors import DeadlineExceeded
from .error_translation import translating
from .tables import users

_ANY_USER = select(users.c.id).limit(1)


class Probe:
    """However many ask at the same time, the database is asked once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, timeout: float) -> None:
        """Raises a `StorageError`, `DeadlineExceeded` after `timeout` seconds among them."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(timeout))
            self._asking.add_done_callback(_take_note)
        await asyncio.shield(self._asking)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))
        await self._engine.dispose()

    async def _ask(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                with translating():
                    async with self._engine.connect() as connection:
                        await connection.execute(_ANY_USER)
        except TimeoutError:
            raise DeadlineExceeded("The database did not answer in time") from None


def _take_note(asking: asyncio.Task[None]) -> None:
    if not asking.cancelled():
        asking.exception()  # whoever asked may have gone
