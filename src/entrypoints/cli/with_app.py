"""Running a few calls on the configured database."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ..python import Steward

Result = TypeVar("Result")


def with_app(work: "Callable[[Steward], Awaitable[Result]]") -> Result:
    import asyncio

    from ...config import load_settings
    from .. import python

    async def run() -> Result:
        async with python.open(load_settings()) as steward:
            return await work(steward)

    return asyncio.run(run())
