"""Run a coroutine to its end whatever happens to the task that waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..service_layer import deadline

Result = TypeVar("Result")


async def run_to_completion(work: Coroutine[Any, Any, Result], *, abandon: Callable[[], None] = lambda: None) -> Result:
    """Await `work` in a task of its own until it is done; a cancellation that came meanwhile is raised then.

    `asyncio.shield` alone returns at once when the waiting task is cancelled, and the clean-up would run beside a
    COMMIT that is still under way. Level-triggered cancellation (anyio) is waited out too. If `work` fails, its own
    error is raised rather than the cancellation: it tells more.

    Whoever has a deadline cannot wait for ever: at its last moment `abandon` is called, once, and makes the work fail.
    Not only if the cancellation comes here: one that came before is what most of the work is done for, to clean up.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    last_moment = deadline.last_moment()
    while not task.done():
        try:
            if last_moment is None:
                await asyncio.wait((task,))
            else:
                await asyncio.wait((task,), timeout=max(0.0, last_moment - asyncio.get_running_loop().time()))
                if not task.done():
                    last_moment = None
                    abandon()
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
