"""Deadlines: what is late is rolled back, and says so; what is being committed is not torn."""
# ruff: noqa: PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable

import pytest

from ...domain.actors import Actor
from ...domain.errors import Conflict, DeadlineExceeded
from ...service_layer import deadline
from ...service_layer.deadline import last_moment, within
from ...service_layer.retry import run
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store
from .setting import Setting
from .steps import add, names, register

SOON, LATE = 0.05, 600.0  # seconds; what begins may well be late already, on a machine that is busy


class Losing:
    """A use case that loses its first races, each after `meanwhile`."""

    def __init__(self, races: int, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.calls = 0
        self._races = races
        self._meanwhile = meanwhile

    async def __call__(self, uow: UnitOfWork, actor: Actor) -> None:
        self.calls += 1
        async with uow:
            await add(uow, f"attempt-{self.calls}")
            self._meanwhile()
            if self.calls <= self._races:
                raise Conflict
            await uow.commit()


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
            assert last_moment() is not None
            await register(store.unit_of_work(), "early")
        assert last_moment() is None
        assert await names(store) == {"early"}

    async def test_of_two_deadlines_the_earlier_holds(self, store: Store) -> None:
        uow = store.unit_of_work()
        for outer, inner in ((SOON, LATE), (LATE, SOON)):
            with pytest.raises(DeadlineExceeded):
                async with within(outer), within(inner), uow:
                    await asyncio.sleep(LATE)

    async def test_a_task_that_outlives_a_deadline_has_none(self, store: Store) -> None:
        over = asyncio.Event()

        async def go_on() -> None:
            await over.wait()
            assert last_moment() is None
            await register(store.unit_of_work(), "after")

        async with within(LATE):
            task = asyncio.create_task(go_on())
        over.set()
        await task
        assert await names(store) == {"after"}

    async def test_an_error_of_the_block_is_no_deadline(self, store: Store) -> None:
        with pytest.raises(TimeoutError) as caught:
            async with within(LATE), store.unit_of_work():
                raise TimeoutError("of something else")
        assert str(caught.value) == "of something else"

    @pytest.mark.promise(5)
    async def test_a_lost_race_is_run_again_while_a_statement_would_still_be_answered(self, store: Store) -> None:
        losing = Losing(2)
        async with within(LATE, statement=LATE):  # no more than half of the time is kept back
            await run(store.unit_of_work(), losing, Actor.system())
        assert losing.calls == 3
        assert await names(store) == {"attempt-3"}

    @pytest.mark.promise(5)
    async def test_a_lost_race_is_not_run_again_when_too_little_time_is_left(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = deadline._now  # noqa: SLF001 - to wait for the real clock would be to hope that the machine is not busy

        def most_of_the_time_goes_by() -> None:
            monkeypatch.setattr(deadline, "_now", lambda: now() + 0.6 * LATE)

        losing = Losing(1, meanwhile=most_of_the_time_goes_by)
        with pytest.raises(Conflict):
            async with within(LATE, statement=LATE / 2):
                await run(store.unit_of_work(), losing, Actor.system())
        assert losing.calls == 1
        assert await names(store) == set()
