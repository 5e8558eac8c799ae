"""The only retry there is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from ..domain.actors import Actor
from ..domain.errors import Conflict, OutcomeUnknown
from . import deadline
from .tally import current_tally
from .unit_of_work import UnitOfWork

P = ParamSpec("P")
Result = TypeVar("Result")

Unit = TypeVar("Unit", bound=UnitOfWork)
UseCase = Callable[Concatenate[UnitOfWork, Actor, P], Awaitable[Result]]

ATTEMPTS = 12
FIRST_PAUSE = 0.005  # seconds
LONGEST_PAUSE = 0.25  # seconds
LONGEST_TIME = 5.0  # seconds, after which no further attempt is begun where nobody has set a deadline


async def run(
    uow: Unit,
    use_case: Callable[Concatenate[Unit, Actor, P], Awaitable[Result]],
    actor: Actor,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Result:
    """Call `use_case(uow, actor, …)`, and on `Conflict` call it again on a fresh transaction.

    At most `ATTEMPTS` calls, none begun when less than a statement's time is left before the deadline (`within`), or
    after `LONGEST_TIME` without one, with the same arguments and the same `uow.now`; the pauses between them are drawn
    evenly from 0 to an exponentially growing bound ("full jitter", Brooker, "Exponential Backoff And Jitter", 2015).
    The last `Conflict` is raised, and so is one that arrives together with a cancellation: whoever cancelled waits for
    the end, not for another attempt. A COMMIT of which nobody knows whether it was done is never done again. If `uow`
    is open already, only its outermost caller can begin again, so this just calls.
    """
    if uow.is_open:
        return await use_case(uow, actor, *args, **kwargs)
    tally = current_tally()
    give_up_at = asyncio.get_running_loop().time() + LONGEST_TIME
    with uow.freeze_time():
        for attempt in range(ATTEMPTS):
            if attempt:
                bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
                await asyncio.sleep(random.uniform(0, bound))  # noqa: S311 - jitter keeps no secret
            try:
                return await use_case(uow, actor, *args, **kwargs)
            except OutcomeUnknown:
                if tally is not None:
                    tally.unknown_outcomes += 1
                raise
            except Conflict:
                if attempt == ATTEMPTS - 1 or is_cancelled() or _is_late(give_up_at):
                    raise
                if tally is not None:
                    tally.retries += 1
    raise AssertionError("unreachable")


def _is_late(give_up_at: float) -> bool:
    in_time = deadline.allows_another_attempt()
    return asyncio.get_running_loop().time() >= give_up_at if in_time is None else not in_time


def is_cancelled() -> bool:
    """Whether whoever runs this task waits for its end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
