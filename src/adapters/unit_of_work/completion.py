"""Run a coroutine to its end whatever happens to the task that waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ...service_layer import deadline

Result = TypeVar("Result")


async def run_to_completion(work: Coroutine[Any, Any, Result], *, abandon: Callable[[], None] = lambda: None) -> Result:
    """Await `work` in a task of its own until it is done; a cancellation that came meanwhile is raised then.

    `asyncio.shield` returns at once when the waiting task is cancelled, and the clean-up would run beside a COMMIT that
    is still under way. Level-triggered cancellation (anyio) is waited out too. If `work` fails, its own
    error is raised rather than the cancellation: it tells more.

    A caller with a deadline cannot wait for ever: at its last moment `abandon` is called, once, and makes the work
    fail. Not only if the cancellation comes here: most of the work is the clean-up after an earlier one.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    last_moment = deadline.last_moment()
    alarm = None if last_moment is None else loop.call_at(last_moment, _unless_done, task, abandon)
    try:
        while not task.done():
            ended: asyncio.Future[None] = loop.create_future()
            tell = partial(_tell, ended)
            task.add_done_callback(tell)
            try:
                await ended
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                task.remove_done_callback(tell)  # level-triggered, it comes again in each step of the event loop
    finally:
        if alarm is not None:
            alarm.cancel()
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


def _tell(ended: asyncio.Future[None], _: asyncio.Task[Any]) -> None:
    if not ended.done():
        ended.set_result(None)


def _unless_done(task: asyncio.Task[Any], abandon: Callable[[], None]) -> None:
    if not task.done():
        abandon()
