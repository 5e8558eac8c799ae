"""Five ways in which a task is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio

Work = Callable[[], Coroutine[Any, Any, None]]
Wait = Callable[[], Awaitable[None]]
Style = Callable[[Work, Wait], Awaitable[None]]


def steps(number: int) -> Wait:
    """Wait for so many turns of the event loop."""

    async def wait() -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    return wait


def delay(seconds: float) -> Wait:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait


async def cancel(work: Work, wait: Wait) -> None:
    task = asyncio.create_task(work())
    await wait()
    task.cancel()
    await _outcome(task)


async def double_cancel(work: Work, wait: Wait) -> None:
    task = asyncio.create_task(work())
    await wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0.001)
    task.cancel()
    await _outcome(task)


async def timeout(work: Work, wait: Wait) -> None:
    scopes: list[asyncio.Timeout] = []

    async def limited() -> None:
        async with asyncio.timeout(None) as scope:
            scopes.append(scope)
            await work()

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)  # until the scope is entered
    await wait()
    if not task.done():
        scopes[0].reschedule(asyncio.get_running_loop().time())
    await asyncio.wait([task])
    if not isinstance(task.exception(), TimeoutError):
        task.result()


async def move_on(work: Work, wait: Wait) -> None:
    """Level-triggered: anyio cancels again at every await until the scope is left."""
    scope = anyio.CancelScope()

    async def limited() -> None:
        with scope:
            await work()

    task = asyncio.create_task(limited())
    await wait()
    scope.cancel()
    await task


async def task_group(work: Work, wait: Wait) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await wait()
        group.cancel_scope.cancel()


async def _outcome(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


STYLES: tuple[Style, ...] = (cancel, double_cancel, timeout, move_on, task_group)
