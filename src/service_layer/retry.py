"""The only retry there is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from ..domain.actors import Actor
from ..domain.errors import Conflict
from .unit_of_work import UnitOfWork

P = ParamSpec("P")
Result = TypeVar("Result")

UseCase = Callable[Concatenate[UnitOfWork, Actor, P], Awaitable[Result]]

ATTEMPTS = 12
FIRST_PAUSE = 0.005  # seconds
LONGEST_PAUSE = 0.25  # seconds
LONGEST_TIME = 5.0  # seconds, after which no further attempt is begun


async def run(
    uow: UnitOfWork,
    use_case: UseCase[P, Result],
    actor: Actor,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Result:
    """Call `use_case(uow, actor, …)`, and on `Conflict` call it again on a fresh transaction.

    At most `ATTEMPTS` calls, none begun after `LONGEST_TIME` (a SQLite file that another process has locked takes its
    own time to say so), with the same arguments and the same `uow.now`; the pauses between them are drawn evenly from
    0 to an exponentially growing bound ("full jitter", Brooker, "Exponential Backoff And Jitter", 2015). The last
    `Conflict` is raised, and so is one that arrives together with a cancellation: whoever set the deadline waits for
    its end, not for another attempt. If `uow` is open already, only its outermost caller can begin again, so this
    just calls.
    """
    if uow.is_open:
        return await use_case(uow, actor, *args, **kwargs)
    give_up_at = asyncio.get_running_loop().time() + LONGEST_TIME
    with uow.hold_time():
        for attempt in range(ATTEMPTS):
            if attempt:
                bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
                await asyncio.sleep(random.uniform(0, bound))  # noqa: S311 - jitter keeps no secret
            try:
                return await use_case(uow, actor, *args, **kwargs)
            except Conflict:
                late = asyncio.get_running_loop().time() >= give_up_at
                if late or attempt == ATTEMPTS - 1 or is_cancelled():
                    raise
    raise AssertionError("unreachable")


def is_cancelled() -> bool:
    """Whether whoever runs this task waits for its end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
