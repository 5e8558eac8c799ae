"""Deadlines: what is late is rolled back, and says so; what is being committed is not torn."""
# ruff: noqa: ARG001, PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable

import pytest

from ...domain.actors import Actor
from ...domain.errors import Conflict, DeadlineExceeded
from ...service_layer.deadline import remaining, within
from ...service_layer.retry import run
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store
from .setting import Setting
from .steps import add, names, register

SOON, LATE = 0.2, 600.0  # seconds


class Deadlines(Setting):
    @pytest.mark.promise(1)
    @pytest.mark.promise(2)
    async def test_a_block_that_is_late_leaves_no_trace(self, store: Store, in_use: Callable[[], int]) -> None:
        uow = store.unit_of_work()
        with pytest.raises(DeadlineExceeded):
            async with within(SOON), uow:
                await add(uow, "late")
                await asyncio.sleep(LATE)
        assert in_use() == 0
        await register(uow, "next")
        assert await names(store) == {"next"}

    @pytest.mark.promise(1)
    async def test_whoever_swallows_the_end_of_a_deadline_commits_nothing(self, store: Store) -> None:
        uow = store.unit_of_work()
        with pytest.raises(DeadlineExceeded):
            async with within(SOON), uow:
                await add(uow, "late")
                try:
                    await asyncio.sleep(LATE)
                finally:
                    await asyncio.sleep(0)
                await uow.commit()
        assert await names(store) == set()

    async def test_what_is_done_in_time_knows_no_deadline_afterwards(self, store: Store) -> None:
        async with within(LATE):
            assert remaining() is not None
            await register(store.unit_of_work(), "early")
        assert remaining() is None
        assert await names(store) == {"early"}

    async def test_of_two_deadlines_the_earlier_holds(self, store: Store) -> None:
        uow = store.unit_of_work()
        for outer, inner in ((SOON, LATE), (LATE, SOON)):
            with pytest.raises(DeadlineExceeded):
                async with within(outer), within(inner), uow:
                    await asyncio.sleep(LATE)

    async def test_an_error_of_the_block_is_no_deadline(self, store: Store) -> None:
        with pytest.raises(TimeoutError) as caught:
            async with within(LATE), store.unit_of_work():
                raise TimeoutError("of something else")
        assert str(caught.value) == "of something else"

    @pytest.mark.promise(5)
    @pytest.mark.parametrize(("statement", "calls"), [(LATE + 1, 1), (0.0, 3)], ids=["too little", "enough"])
    async def test_a_race_is_run_again_only_if_a_statement_would_still_be_answered(
        self, store: Store, statement: float, calls: int
    ) -> None:
        made = 0

        async def lose_twice(uow: UnitOfWork, actor: Actor) -> None:
            nonlocal made
            made += 1
            async with uow:
                await add(uow, f"attempt-{made}")
                if made <= 2:
                    raise Conflict
                await uow.commit()

        try:
            async with within(LATE, statement=statement):
                await run(store.unit_of_work(), lose_twice, Actor.system())
        except Conflict:
            assert calls == 1
        assert made == calls
        assert await names(store) == ({"attempt-3"} if calls == 3 else set())
