"""What costs much is made for many at once, and never before it was asked for."""

import asyncio

import pytest
from steward.entrypoints.http.middleware.metrics import RateLimitedCache


async def test_all_who_ask_at_the_same_time_get_the_same() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    paced = RateLimitedCache(make)
    assert set(await asyncio.gather(*(paced.get() for _ in range(50)))) == {0}
    assert await paced.get() == 1


async def test_nobody_gets_what_was_made_before_they_asked() -> None:
    state = 0
    paced = RateLimitedCache(lambda: state)
    for state in range(20):
        assert await paced.get() == state


async def test_one_who_leaves_takes_it_from_nobody() -> None:
    paced = RateLimitedCache(lambda: "made")
    leaving, staying = asyncio.create_task(paced.get()), asyncio.create_task(paced.get())
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "made"


async def test_a_failure_is_told_to_those_who_asked_and_is_over() -> None:
    faults = [ValueError("once")]

    def make() -> str:
        if faults:
            raise faults.pop()
        return "made"

    paced = RateLimitedCache(make)
    with pytest.raises(ValueError, match="once"):
        await paced.get()
    assert await paced.get() == "made"
