"""What the repository of counters promises (`steward.domain.repositories`)."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from ...domain.attempts import Counter, CounterKey
from ...domain.errors import InvalidValue
from ..given import Store
from .setting import Setting
from .steps import again_after_conflicts, apart, key_of

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
A, B, C = key_of("a"), key_of("b"), key_of("c")


async def count(store: Store, *keys: CounterKey, at: datetime = NOON, window: timedelta = HOUR) -> list[Counter]:
    """One attempt for each key, committed."""
    async with store.unit_of_work() as uow:
        counted = await uow.attempts.count(dict.fromkeys(keys, at + window), at=at)
        await uow.commit()
    return counted


async def take_back(store: Store, *counted: Counter) -> None:
    async with store.unit_of_work() as uow:
        await uow.attempts.take_back(counted)
        await uow.commit()


async def find(store: Store, key: CounterKey, *, at: datetime = NOON) -> Counter | None:
    async with store.unit_of_work().reading() as uow:
        return await uow.attempts.find(key, at=at)


class Attempts(Setting):
    async def test_a_counter_begins_with_the_first_attempt_and_keeps_its_window(self, store: Store) -> None:
        assert await find(store, A) is None
        assert await count(store, A) == [Counter(A, 1, NOON + HOUR)]
        assert await count(store, A, at=NOON + HOUR / 2) == [Counter(A, 2, NOON + HOUR)]
        assert await find(store, A) == Counter(A, 2, NOON + HOUR)
        assert await find(store, B) is None

    async def test_several_are_counted_together_and_come_back_in_the_order_given(self, store: Store) -> None:
        await count(store, B)
        for keys in ((C, A, B), (B, C, A), (A, B, C)):
            assert [counter.key for counter in await count(store, *keys)] == list(keys)
        assert [counter.count for counter in await count(store, A, B, C)] == [4, 5, 4]

    async def test_none_may_be_counted(self, store: Store) -> None:
        assert await count(store) == []
        await take_back(store)

    async def test_a_counter_that_has_run_out_begins_anew_with_the_new_window(self, store: Store) -> None:
        for _ in range(3):
            await count(store, A)
        end = NOON + HOUR
        assert await find(store, A, at=end - INSTANT) == Counter(A, 3, end)
        assert await find(store, A, at=end) is None
        assert await count(store, A, at=end - INSTANT) == [Counter(A, 4, end)]
        assert await count(store, A, at=end, window=2 * HOUR) == [Counter(A, 1, end + 2 * HOUR)]

    async def test_times_of_counters_come_back_in_utc(self, store: Store) -> None:
        elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
        (counter,) = await count(store, A, at=elsewhere)
        found = await find(store, A)
        assert found == counter == Counter(A, 1, NOON + HOUR)
        assert counter.resets_at.tzinfo is UTC
        assert found is not None
        assert found.resets_at.tzinfo is UTC

    async def test_what_was_taken_back_was_not_counted(self, store: Store) -> None:
        await count(store, A, B)
        counted = await count(store, A, B)
        await take_back(store, *counted)
        assert await find(store, A) == Counter(A, 1, NOON + HOUR)
        assert await find(store, B) == Counter(B, 1, NOON + HOUR)

    async def test_nothing_is_taken_back_below_none(self, store: Store) -> None:
        (counted,) = await count(store, A)
        for _ in range(3):
            await take_back(store, counted)
        assert await find(store, A) == Counter(A, 0, NOON + HOUR)

    async def test_nothing_is_taken_back_from_another_window(self, store: Store) -> None:
        (before,) = await count(store, A)
        (now,) = await count(store, A, at=NOON + HOUR)
        await take_back(store, before)
        assert await find(store, A, at=NOON + HOUR) == now

    async def test_nothing_is_taken_back_from_what_is_not_there(self, store: Store) -> None:
        await take_back(store, Counter(A, 7, NOON + HOUR))
        assert await find(store, A) is None

    async def test_a_count_that_is_rolled_back_was_none(self, store: Store) -> None:
        await count(store, A)
        async with store.unit_of_work() as uow:
            assert [each.count for each in await uow.attempts.count({A: NOON + HOUR, B: NOON + HOUR}, at=NOON)] == [
                2,
                1,
            ]
            assert await uow.attempts.find(B, at=NOON) is not None
        async with store.unit_of_work() as uow:
            await uow.attempts.take_back([Counter(A, 1, NOON + HOUR)])
        assert await find(store, A) == Counter(A, 1, NOON + HOUR)
        assert await find(store, B) is None

    async def test_fifty_units_at_the_same_time_count_to_fifty(self, store: Store, serializable: bool) -> None:
        """Their keys stand in different orders, and none dead-locks."""
        orders = [(A, B, C), (C, B, A), (B, C, A)]
        units = [partial(count, store, *orders[number % 3]) for number in range(50)]
        counted = await asyncio.gather(
            *(apart(again_after_conflicts(unit) if serializable else unit()) for unit in units)
        )
        for key in (A, B, C):
            counts = [counter.count for counters in counted for counter in counters if counter.key == key]
            assert sorted(counts) == list(range(1, 51)), "each was told another number"
            assert await find(store, key) == Counter(key, 50, NOON + HOUR)

    async def test_counting_and_taking_back_at_the_same_time_lose_nothing(
        self, store: Store, serializable: bool
    ) -> None:
        counted = [await count(store, A, B, C) for _ in range(20)]
        units: list[Callable[[], Coroutine[Any, Any, object]]] = [
            *(partial(take_back, store, *counters[:: 1 if n % 2 else -1]) for n, counters in enumerate(counted)),
            *(partial(count, store, C, A, B) for _ in range(20)),
        ]
        await asyncio.gather(*(apart(again_after_conflicts(unit) if serializable else unit()) for unit in units))
        assert [await find(store, key) for key in (A, B, C)] == [Counter(key, 20, NOON + HOUR) for key in (A, B, C)]

    async def test_who_counts_deletes_a_few_that_have_run_out(self, store: Store) -> None:
        old = [key_of(f"old {number}") for number in range(25)]
        for number, key in enumerate(old):
            await count(store, key, at=NOON - 30 * HOUR + number * INSTANT)
        await count(store, B, at=NOON - 30 * HOUR, window=31 * HOUR)
        for left in (5, 0):
            await count(store, A)
            there = [key for key in old if await find(store, key, at=NOON - 30 * HOUR) is not None]
            assert there == old[len(old) - left :]
        assert await find(store, A) == Counter(A, 2, NOON + HOUR)
        assert await find(store, B) is not None

    async def test_a_window_that_is_over_already_is_counted_and_gone(self, store: Store) -> None:
        assert await count(store, A, window=timedelta()) == [Counter(A, 1, NOON)]
        assert await find(store, A) is None
        assert await count(store, A) == [Counter(A, 1, NOON + HOUR)]

    async def test_a_key_of_the_wrong_length_is_not_stored(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            assert await uow.attempts.find(CounterKey(b"short"), at=NOON) is None
            with pytest.raises(InvalidValue, match="ck_attempt_counters_key_length"):
                await uow.attempts.count({CounterKey(b"short"): NOON + HOUR}, at=NOON)
