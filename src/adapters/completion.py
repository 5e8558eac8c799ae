"""Run a coroutine to its end whatever happens to the task that waits for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def run_to_completion(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` in a task of its own until it is done; a cancellation that came meanwhile is raised then.

    `asyncio.shield` alone returns at once when the waiting task is cancelled, and the clean-up would run beside a
    COMMIT that is still under way. Level-triggered cancellation (anyio) is waited out too. If `work` fails, its own
    error is raised rather than the cancellation: it tells more.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
        except BaseException:
            break
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
