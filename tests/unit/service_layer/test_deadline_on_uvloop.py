"""The timers of uvloop are early by up to half a millisecond, and late as others are."""

import asyncio
from collections import Counter

import pytest
from steward.adapters.unit_of_work.completion import run_to_completion
from steward.domain.errors import DeadlineExceeded, OutcomeUnknown
from steward.service_layer import deadline

uvloop = pytest.importorskip("uvloop")  # there is none for Windows


async def never_answered(abandoned: asyncio.Event) -> None:
    await abandoned.wait()
    raise OutcomeUnknown


async def commit_in_vain(seconds: float) -> None:
    abandoned = asyncio.Event()
    async with deadline.within(seconds):
        try:
            with deadline.committing():
                await run_to_completion(never_answered(abandoned), abandon=abandoned.set)
        finally:
            await run_to_completion(asyncio.sleep(0.005))  # as a rollback


async def test_a_deadline_strikes_once_however_early_its_timers_are() -> None:
    told: Counter[str] = Counter()

    async def go() -> None:
        for number in range(60):
            task = asyncio.create_task(commit_in_vain(0.02 + number * 0.00013))
            await asyncio.wait((task,))
            told["cancelled" if task.cancelled() else type(task.exception()).__name__] += 1

    await asyncio.to_thread(uvloop.run, go())
    assert told.keys() <= {OutcomeUnknown.__name__, DeadlineExceeded.__name__}
